#include "libsync/frame.h"

#include <doctest/doctest.h>

#include "unit/support.h"

namespace libsync {
namespace {

using test::bytes_of;

UpdateHeader patch_header() {
  UpdateHeader header;
  header.topic = TopicId{300};
  header.version = Version{1'000'000};
  header.kind = UpdateKind::kPatch;
  header.base_version = Version{999'999};
  return header;
}

UpdateHeader full_header() {
  UpdateHeader header;
  header.topic = TopicId{1};
  header.version = Version{1};
  header.kind = UpdateKind::kFull;
  header.reason = FullReason::kFirst;
  return header;
}

Limits small_parts(std::size_t part_bytes) {
  Limits limits;
  limits.max_part_bytes = part_bytes;
  return limits;
}

}  // namespace

TEST_CASE("message_kind: tells control from state by two bits") {
  CHECK(message_kind({}) == MessageKind::kInvalid);
  for (int first = 0; first < 256; ++first) {
    const MessageKind expected = first % 4 == 0   ? MessageKind::kControl
                                 : first % 4 == 1 ? MessageKind::kState
                                                  : MessageKind::kInvalid;
    CHECK(message_kind(bytes_of({first})) == expected);
  }
}

TEST_CASE("encode_state_frames: a usual patch has a header of at most 16 bytes") {
  const Bytes body(40);
  const auto frames = encode_state_frames(patch_header(), body, Limits{});
  REQUIRE(frames.size() == 1);
  CHECK(frames[0]->size() - body.size() == 1 + 2 + 3 + 1);
}

TEST_CASE("state frames: round trip, whole and in parts of any size") {
  test::Random random(1);
  for (const UpdateHeader& header : {patch_header(), full_header()}) {
    for (const std::size_t size : {1u, 2u, 15u, 16u, 17u, 100u}) {
      for (const std::size_t part : {1u, 2u, 16u, 1000u}) {
        CAPTURE(size);
        CAPTURE(part);
        const Bytes body = test::random_bytes(random, size);
        const Limits limits = small_parts(part);
        const auto frames = encode_state_frames(header, body, limits);
        CHECK(frames.size() == (size + part - 1) / part);
        FrameAssembler assembler;
        for (std::size_t i = 0; i < frames.size(); ++i) {
          const Result<StateFrame> frame = decode_state_frame(*frames[i], limits);
          REQUIRE(frame.has_value());
          CHECK(frame->header == header);
          const Result<const BytesView*> whole = assembler.add(*frame);
          REQUIRE(whole.has_value());
          CHECK((*whole != nullptr) == (i + 1 == frames.size()));
          if (*whole != nullptr) CHECK(std::equal(body.begin(), body.end(), (*whole)->begin(), (*whole)->end()));
        }
      }
    }
  }
}

TEST_CASE("decode_state_frame: refuses what is cut, unknown or not canonical") {
  const Limits limits = small_parts(8);
  const auto frames = encode_state_frames(patch_header(), Bytes(20), limits);
  for (std::size_t length = 0; length <= 11; ++length) {  // header of the first part: 1 + 2 + 3 + 1 + 1 + 1
    const BytesView cut(frames[0]->data(), std::min<std::size_t>(length, 9));
    CHECK(!decode_state_frame(cut, limits).has_value());
  }
  const auto refused = [&](std::initializer_list<int> frame) { return !decode_state_frame(bytes_of(frame), limits); };
  const int whole = 0b11'00'01, full = 0b11'01'01;
  CHECK(!refused({whole, 1, 2, 1, 0}));
  CHECK(!refused({full, 1, 1, 1, 0}));
  CHECK(refused({whole | 0b01'000000, 1, 2, 1, 0}));               // another format
  CHECK(!refused({0b11'10'01, 1, 2, 1, 0}));                       // chunk diff
  CHECK(refused({0b11'10'01, 1, 2, 0, 0}));                        // without a reason
  CHECK(refused({0b11'11'01, 1, 2, 1, 0}));                        // unknown kind
  CHECK(refused({0b11'00'00, 1, 2, 1, 0}));                        // not a state frame
  CHECK(refused({whole, 1, 0, 1, 0}));                             // version zero
  CHECK(refused({whole, 1, 2, 0, 0}));                             // back by nothing
  CHECK(refused({whole, 1, 2, 2, 0}));                             // back to zero
  CHECK(refused({whole, 0x81, 0x00, 2, 1, 0}));                    // longer varint than needed
  CHECK(refused({whole, 0xff, 0xff, 0xff, 0xff, 0x1f, 2, 1, 0}));  // topic beyond 32 bits
  CHECK(refused({full, 1, 1, 0, 0}));                              // no reason
  CHECK(refused({full, 1, 1, 99, 0}));                             // unknown reason
  CHECK(refused({0b01'01'01, 1, 1, 1, 1, 9, 0}));                  // first part with another number
  CHECK(refused({0b00'01'01, 1, 1, 1, 0, 0}));                     // later part with number zero
  CHECK(refused({0b01'01'01, 1, 1, 1, 0, 1, 0}));                  // total that this part already holds
  CHECK(refused({whole, 1, 2, 1}));                                // no body
}

TEST_CASE("decode_state_frame: refuses a total above the limit") {
  Limits limits;
  limits.max_snapshot_bytes = 100;
  Limits parts = small_parts(8);
  CHECK(decode_state_frame(*encode_state_frames(full_header(), Bytes(132), parts)[0], limits).has_value());
  const auto refused = decode_state_frame(*encode_state_frames(full_header(), Bytes(133), parts)[0], limits);
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == ErrorCode::kSnapshotTooBig);
}

TEST_CASE("FrameAssembler: refuses parts out of order, and begins anew with the next first part") {
  const Limits limits = small_parts(4);
  const auto frames = encode_state_frames(full_header(), Bytes(16), limits);
  REQUIRE(frames.size() == 4);
  const auto frame = [&](std::size_t i) { return *decode_state_frame(*frames[i], limits); };
  FrameAssembler assembler;
  CHECK(!assembler.add(frame(1)).has_value());  // nothing begun
  CHECK(assembler.add(frame(0)).has_value());
  CHECK(!assembler.add(frame(2)).has_value());  // one missing
  CHECK(!assembler.add(frame(1)).has_value());  // discarded
  CHECK(assembler.add(frame(0)).has_value());
  CHECK(assembler.add(frame(1)).has_value());
  CHECK(assembler.add(frame(0)).has_value());  // cancelled and begun again
  CHECK(assembler.add(frame(1)).has_value());
  CHECK(assembler.add(frame(2)).has_value());
  const Result<const BytesView*> whole = assembler.add(frame(3));
  REQUIRE(whole.has_value());
  REQUIRE(*whole != nullptr);
  CHECK((*whole)->size() == 16);
}

TEST_CASE("FrameAssembler: refuses a part of another update and bytes beyond the total") {
  const Limits limits = small_parts(4);
  const auto frames = encode_state_frames(full_header(), Bytes(12), limits);
  FrameAssembler assembler;
  CHECK(assembler.add(*decode_state_frame(*frames[0], limits)).has_value());
  StateFrame other = *decode_state_frame(*frames[1], limits);
  other.header.version.value = 7;
  CHECK(!assembler.add(other).has_value());
  CHECK(assembler.add(*decode_state_frame(*frames[0], limits)).has_value());
  StateFrame longer = *decode_state_frame(*frames[1], limits);
  const Bytes much(100);
  longer.body = much;
  CHECK(!assembler.add(longer).has_value());
  CHECK(assembler.add(*decode_state_frame(*frames[0], limits)).has_value());
  StateFrame early = *decode_state_frame(*frames[1], limits);
  early.last = true;  // ends before the total is there
  CHECK(!assembler.add(early).has_value());
}

}  // namespace libsync
