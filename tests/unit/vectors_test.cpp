// The golden vectors that C++ and TypeScript both pass. ts-sdk/test/vectors.test.ts is the twin.
#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "libsync/frame.h"
#include "libsync/held_chunks.h"
#include "libsync/message.h"
#include "libsync/patch.h"
#include "unit/support.h"

namespace libsync {
namespace {

using Vector = std::map<std::string, std::string>;

// One flat object of strings a line, as tests/vectors/make_vectors.cpp writes them; no escapes.
std::vector<Vector> read_vectors(const std::string& name) {
  std::ifstream file(std::string(LIBSYNC_TEST_VECTORS_DIR) + "/" + name);
  REQUIRE(file.good());
  std::vector<Vector> vectors;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] != '{') continue;
    std::vector<std::string> strings;
    for (std::size_t at = line.find('"'); at != std::string::npos; at = line.find('"', at)) {
      const std::size_t end = line.find('"', at + 1);
      strings.push_back(line.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    Vector vector;
    for (std::size_t i = 0; i + 1 < strings.size(); i += 2) vector[strings[i]] = strings[i + 1];
    vectors.push_back(std::move(vector));
  }
  REQUIRE(vectors.size() >= 5);
  return vectors;
}

}  // namespace

TEST_CASE("vectors: digests") {
  for (const Vector& vector : read_vectors("digests.json")) {
    const std::size_t size = std::stoull(vector.at("size"));
    CAPTURE(size);
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 31 + size) % 251);
    CHECK(chunk_size_bytes(size) == std::stoull(vector.at("chunk_size")));
    CHECK(test::to_hex64(digest_of(bytes).value) == vector.at("digest"));
    const HeldChunks held = HeldChunks::of(bytes);
    CHECK(held_chunk_bytes(size) == std::stoull(vector.at("held_chunk_size")));
    CHECK(test::to_hex64(xxh3_64(held.fingerprints)) == vector.at("held_fingerprints"));
    CHECK(test::to_hex(held.fingerprints).starts_with(vector.at("first_held_fingerprint")));
  }
}

TEST_CASE("vectors: patches") {
  PatchContext context;
  for (const Vector& vector : read_vectors("patches.json")) {
    CAPTURE(vector.at("name"));
    const SnapshotPtr baseline = Snapshot::copy_of(test::from_hex(vector.at("baseline")));
    if (vector.at("after").empty()) context.close();
    const Result<SnapshotPtr> applied = apply_patch(*baseline, test::from_hex(vector.at("patch")), Limits{}, &context);
    CHECK((applied ? "" : name_of(applied.error().code)) == vector.at("error"));
    if (!applied) continue;
    CHECK(test::to_hex((*applied)->bytes()) == vector.at("target"));
    CHECK(test::to_hex64((*applied)->digest().value) == vector.at("digest"));
  }
}

TEST_CASE("vectors: state frames") {
  for (const Vector& vector : read_vectors("frames.json")) {
    CAPTURE(vector.at("name"));
    const Bytes bytes = test::from_hex(vector.at("frame"));
    const Result<StateFrame> frame = decode_state_frame(bytes, Limits{});
    CHECK((frame ? "" : name_of(frame.error().code)) == vector.at("error"));
    if (!frame) continue;
    constexpr const char* kKinds[] = {"patch", "full", "chunk diff"};
    CHECK(kKinds[static_cast<std::size_t>(frame->header.kind)] == vector.at("kind"));
    CHECK(std::to_string(static_cast<int>(frame->header.reason)) == vector.at("reason"));
    CHECK(std::to_string(frame->header.topic.value) == vector.at("topic"));
    CHECK(std::to_string(frame->header.version.value) == vector.at("version"));
    CHECK(std::to_string(frame->header.base_version.value) == vector.at("base_version"));
    CHECK(std::to_string(frame->part) == vector.at("part"));
    CHECK(std::to_string(frame->total_bytes) == vector.at("total_bytes"));
    CHECK((frame->first ? "1" : "0") == vector.at("first"));
    CHECK((frame->last ? "1" : "0") == vector.at("last"));
    CHECK(test::to_hex(frame->body) == vector.at("body"));
  }
}

TEST_CASE("vectors: control messages") {
  for (const Vector& vector : read_vectors("messages.json")) {
    CAPTURE(vector.at("type"));
    const auto decoded = decode_message(test::from_hex(vector.at("message")), Limits{});
    REQUIRE(decoded.has_value());
    CHECK(std::to_string((*decoded)->sequence) == vector.at("sequence"));
    CHECK(protocol::EnumNameMessage((*decoded)->message.type) == vector.at("type"));
    // The bytes are not canonical, but ours do not change by accident.
    CHECK(test::to_hex(*encode_message(Sequence{(*decoded)->sequence}, std::move((*decoded)->message))) ==
          vector.at("message"));
  }
}

}  // namespace libsync
