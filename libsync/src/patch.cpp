#include "libsync/patch.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "byte_reader.h"
#include "byte_writer.h"
#include "codec/aligner.h"
#include "codec/codec.h"
#include "codec/excerpt.h"
#include "codec/follow.h"
#include "patch_encoder.h"
#include "patch_reader.h"

namespace libsync {
namespace {

constexpr std::uint64_t kMaxSize = std::numeric_limits<std::uint32_t>::max();

// Executes the ops of a patch. Fills `target` front to back; it never reads what it wrote.
class OpRunner {
 public:
  OpRunner(BytesView baseline, BytesView ops, Bytes& target) : baseline_(baseline), ops_(ops), target_(target) {}

  // Null on success, otherwise what is wrong.
  const char* run() {
    while (!ops_.at_end()) {
      std::uint64_t op = 0;
      if (!ops_.read_varint(op, std::numeric_limits<std::uint64_t>::max())) return "bad op";
      const auto kind = static_cast<PatchOp>(op & 3);
      const std::uint64_t count = op >> 2;
      if (count == 0) return "op of nothing";
      if (last_ == PatchOp::kSeek && kind != PatchOp::kCopy && kind != PatchOp::kLanes) return "seek without use";
      if (last_ == kind && (kind == PatchOp::kCopy || kind == PatchOp::kAdd)) return "ops that should be one";
      last_ = kind;
      const char* problem = nullptr;
      switch (kind) {
        case PatchOp::kCopy: problem = copy(count); break;
        case PatchOp::kAdd: problem = add(count); break;
        case PatchOp::kSeek: problem = seek(count); break;
        case PatchOp::kLanes: problem = lanes(count); break;
      }
      if (problem != nullptr) return problem;
    }
    if (last_ == PatchOp::kSeek) return "seek without use";
    if (written_ != target_.size()) return "target not full";
    return nullptr;
  }

 private:
  const char* copy(std::uint64_t count) {
    if (count > baseline_.size() - cursor_) return "copy past the end of the baseline";
    if (count > target_.size() - written_) return "copy past the end of the target";
    std::memcpy(target_.data() + written_, baseline_.data() + cursor_, count);
    cursor_ += count;
    written_ += count;
    return nullptr;
  }

  const char* add(std::uint64_t count) {
    if (count > target_.size() - written_) return "add past the end of the target";
    BytesView literal;
    if (!ops_.read_bytes(count, literal)) return "add past the end of the patch";
    std::memcpy(target_.data() + written_, literal.data(), count);
    written_ += count;
    return nullptr;
  }

  const char* seek(std::uint64_t count) {
    const std::int64_t distance = unzigzag64(count);
    // Both sides fit in 33 bits once the distance is known to, so the sum cannot overflow.
    if (distance > static_cast<std::int64_t>(kMaxSize) || distance < -static_cast<std::int64_t>(kMaxSize)) {
      return "seek outside the baseline";
    }
    const std::int64_t cursor = static_cast<std::int64_t>(cursor_) + distance;
    if (cursor < 0 || cursor > static_cast<std::int64_t>(baseline_.size())) return "seek outside the baseline";
    cursor_ = static_cast<std::size_t>(cursor);
    return nullptr;
  }

  const char* lanes(std::uint64_t count) {
    if (count > (baseline_.size() - cursor_) / 4) return "lanes past the end of the baseline";
    if (count > (target_.size() - written_) / 4) return "lanes past the end of the target";
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t difference = 0;
      if (!ops_.read_varint(difference, kMaxSize)) return "bad lane";
      std::uint32_t lane = 0;
      std::memcpy(&lane, baseline_.data() + cursor_, 4);
      lane += unzigzag32(static_cast<std::uint32_t>(difference));
      std::memcpy(target_.data() + written_, &lane, 4);
      cursor_ += 4;
      written_ += 4;
    }
    return nullptr;
  }

  BytesView baseline_;
  ByteReader ops_;
  Bytes& target_;
  std::size_t cursor_ = 0;
  std::size_t written_ = 0;
  PatchOp last_ = PatchOp::kLanes;  // may be followed by anything, as the start may
};

Bytes make_byte_patch(const Snapshot& baseline, const Snapshot& target) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(PatchKind::kBytes));
  writer.varint(baseline.size_bytes());
  writer.varint(target.size_bytes());
  writer.u64(target.digest().value);
  const std::size_t ops_offset = out.size();
  PatchEncoder(baseline.bytes(), target.bytes(), out).run();
  // The encoder looks ahead a little only, so unrelated bytes may cost more than a plain copy of the target.
  const std::size_t plain_bytes =
      target.size_bytes() == 0 ? 0 : varint_size(std::uint64_t{target.size_bytes()} << 2) + target.size_bytes();
  if (out.size() - ops_offset > plain_bytes) {
    out.resize(ops_offset);
    writer.varint(std::uint64_t{target.size_bytes()} << 2 | static_cast<std::uint64_t>(PatchOp::kAdd));
    writer.bytes(target.bytes());
  }
  return out;
}

// Nothing if it cannot be said in this way.
Bytes make_whole_patch(const Snapshot& target) {
  Bytes out, body;
  std::size_t excerpt_size = 0;
  if (!target.structure()->is_flatbuffer ||
      !codec::encode_whole(*target.structure(), target.bytes(), excerpt_size, body))
    return out;
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(PatchKind::kWhole));
  writer.varint(target.size_bytes());
  writer.u64(target.digest().value);
  writer.varint(excerpt_size);
  writer.bytes(body);
  return out;
}

// A patch in the making, and the context after it.
struct Draft {
  Bytes bytes;
  std::unique_ptr<codec::Context> context;

  bool is_there() const { return !bytes.empty(); }
};

// Both make of `draft`, which holds the context before, one that is there, or none if it cannot be said in this way.
void make_in_place_patch(const Snapshot& baseline, const Snapshot& target, const codec::Differences& differences,
                         bool continues, Draft& draft) {
  ByteWriter writer(draft.bytes);
  writer.u8(static_cast<std::uint8_t>(static_cast<unsigned>(PatchKind::kInPlace) | (continues ? kContinuesBit : 0)));
  writer.u64(target.digest().value);
  if (!codec::encode_in_place(*draft.context, baseline.bytes(), target.bytes(), differences, draft.bytes))
    draft.bytes.clear();
}

void make_moved_patch(const Snapshot& baseline, const Snapshot& target, codec::Matches matches, bool continues,
                      Draft& draft) {
  ByteWriter writer(draft.bytes);
  writer.u8(static_cast<std::uint8_t>(static_cast<unsigned>(PatchKind::kMoved) | (continues ? kContinuesBit : 0)));
  writer.varint(target.size_bytes());
  writer.u64(target.digest().value);
  if (!codec::encode_moved(*draft.context, baseline.bytes(), std::move(matches), target.bytes(), draft.bytes))
    draft.bytes.clear();
}

// What became of the baseline's objects. Nothing if the target is no FlatBuffer. Where the types known do not explain
// it, the context begins anew, with those that are in the baseline now.
std::optional<codec::Matches> matches_of(const Snapshot& baseline, const Snapshot& target, codec::Context& context,
                                         bool& continues) {
  std::optional<codec::Matches> aligned = codec::align(*context.structure, baseline.bytes(), target.bytes());
  if (aligned) return aligned;
  const std::optional<codec::Structure> followed = codec::follow(*context.structure, baseline.bytes(), target.bytes());
  if (!followed && continues) {
    continues = false;
    context = codec::new_context(baseline.structure());
  }
  if (!followed && !target.structure()->is_flatbuffer) return std::nullopt;
  return codec::match(*context.structure, baseline.bytes(), followed ? *followed : *target.structure(), target.bytes(),
                      followed.has_value());
}

// Where the two may differ. Requires: equal sizes.
std::vector<ByteRange> ranges_of(const Snapshot& baseline, const Snapshot& target) {
  const std::vector<ByteRange>* known = target.changed_since(baseline);
  if (known != nullptr) return *known;
  constexpr std::uint32_t kPart = 1024;
  const auto size = static_cast<std::uint32_t>(target.size_bytes());
  std::vector<ByteRange> ranges;
  for (std::uint32_t begin = 0; begin < size; begin += kPart) {
    const std::uint32_t n = std::min(kPart, size - begin);
    if (std::memcmp(baseline.bytes().data() + begin, target.bytes().data() + begin, n) != 0)
      ranges.push_back({begin, begin + n});
  }
  return ranges;
}

// Whether tables moved, or what they refer to: some of them tell. Requires: equal sizes. `ranges`: where they differ.
bool have_tables_moved(const codec::Structure& structure, BytesView baseline, BytesView target,
                       std::span<const ByteRange> ranges) {
  constexpr std::size_t kSamples = 64, kFew = 16;
  std::size_t n_changed = 0;
  for (const ByteRange& range : ranges) n_changed += range.end - range.begin;
  if (!structure.is_flatbuffer || n_changed < target.size() / kFew) return false;
  std::span<const std::uint32_t> most;  // tables of one type
  for (std::size_t type = 0; type < structure.types().size(); ++type) {
    const std::vector<std::uint32_t>& starts = structure.groups[type].starts;
    if (structure.types()[type].kind == codec::Kind::kTable && starts.size() > most.size()) most = starts;
  }
  if (most.empty()) return false;
  for (std::size_t i = 0; i < kSamples; ++i) {
    const std::uint32_t start = most[i * most.size() / kSamples];
    if (codec::load32(baseline.data() + start) != codec::load32(target.data() + start)) return true;
  }
  return false;
}

// In the way that is smaller. Nothing if it cannot be said.
Draft make_structured_patch(const Snapshot& baseline, const Snapshot& target, Bytes buffer,
                            std::unique_ptr<codec::Context> context, bool continues) {
  const codec::Structure& structure = *context->structure;
  Draft in_place, moved;
  buffer.clear();
  const bool is_equal_size = baseline.size_bytes() == target.size_bytes();
  const std::vector<ByteRange> ranges = is_equal_size ? ranges_of(baseline, target) : std::vector<ByteRange>();
  if (is_equal_size && !have_tables_moved(structure, baseline.bytes(), target.bytes(), ranges)) {
    const codec::Differences differences = codec::differences_of(structure, baseline.bytes(), target.bytes(), ranges);
    if (differences.moves && structure.is_flatbuffer) moved.context = std::make_unique<codec::Context>(*context);
    in_place.context = std::move(context);
    in_place.bytes = std::move(buffer);
    make_in_place_patch(baseline, target, differences, continues, in_place);
  } else if (structure.is_flatbuffer) {
    moved.context = std::move(context);
  }
  if (moved.context == nullptr) return in_place;
  std::optional<codec::Matches> matches = matches_of(baseline, target, *moved.context, continues);
  if (!matches) return in_place;
  make_moved_patch(baseline, target, std::move(*matches), continues, moved);
  const bool is_smaller = moved.is_there() && (!in_place.is_there() || moved.bytes.size() < in_place.bytes.size());
  return is_smaller ? std::move(moved) : std::move(in_place);
}

}  // namespace

void make_patch(const Snapshot& baseline, const Snapshot& target, Bytes& out, std::uint8_t format,
                PatchContext* context) {
  SYNC_ASSERT(baseline.size_bytes() <= kMaxSize && target.size_bytes() <= kMaxSize);
  Draft draft;
  const bool has_structure = format >= 2 && baseline.size_bytes() > 0 &&
                             std::max(baseline.size_bytes(), target.size_bytes()) <= codec::kMaxBytes;
  const bool continues = context != nullptr && context->is_at(baseline);
  if (has_structure) {
    std::unique_ptr<codec::Context> state = continues ? context->release() : nullptr;
    if (state == nullptr) state = std::make_unique<codec::Context>(codec::new_context(baseline.structure()));
    draft = make_structured_patch(baseline, target, std::move(out), std::move(state), continues);
  }
  const auto keep_smaller = [&](Bytes other) {
    if (!other.empty() && (!draft.is_there() || other.size() < draft.bytes.size()))
      draft = Draft{std::move(other), nullptr};
  };
  // Who publishes a state of which next to nothing is left should not wait for it to be compressed; whoever asks for a
  // whole one has decided on that.
  constexpr std::size_t kMostBeside = 1u << 20;
  const bool may_be_whole = target.size_bytes() <= (baseline.size_bytes() == 0 ? codec::kMaxBytes : kMostBeside);
  if (format >= 2 && may_be_whole && (!draft.is_there() || draft.bytes.size() > target.size_bytes() / 2))
    keep_smaller(make_whole_patch(target));
  // Between others than FlatBuffers bytes may have moved, which no structure tells of.
  if (!draft.is_there() ||
      (draft.context != nullptr && !draft.context->structure->is_flatbuffer && draft.bytes.size() > 64) ||
      draft.bytes.size() > target.size_bytes())
    keep_smaller(make_byte_patch(baseline, target));
  out = std::move(draft.bytes);
  if (context == nullptr) return;
  context->close();
  if (draft.context != nullptr) context->hold(std::move(draft.context), target.digest());
}

Error malformed_patch(const char* detail) { return Error{ErrorCode::kMalformed, std::string("patch: ") + detail}; }

Result<PatchHeader> read_patch_header(BytesView patch) {
  ByteReader reader(patch);
  PatchHeader header;
  std::uint8_t kind = 0;
  std::uint64_t size = 0;
  if (!reader.read_u8(kind)) return malformed_patch("empty");
  header.continues = (kind & kContinuesBit) != 0;
  kind &= static_cast<std::uint8_t>(~kContinuesBit);
  if ((header.continues && kind < static_cast<std::uint8_t>(PatchKind::kInPlace)) ||
      kind > static_cast<std::uint8_t>(PatchKind::kMoved)) {
    return malformed_patch("unknown kind");
  }
  header.kind = static_cast<PatchKind>(kind);
  if (header.kind == PatchKind::kBytes) {
    if (!reader.read_varint(size, kMaxSize)) return malformed_patch("bad baseline size");
    header.baseline_size_bytes = size;
  }
  if (header.kind != PatchKind::kInPlace) {
    if (!reader.read_varint(size, header.kind == PatchKind::kBytes ? kMaxSize : codec::kMaxBytes)) {
      return malformed_patch("bad target size");
    }
    header.target_size_bytes = size;
  }
  if (!reader.read_u64(header.digest.value)) return malformed_patch("no digest");
  if (header.kind == PatchKind::kWhole) {
    if (!reader.read_varint(size, codec::max_excerpt_bytes(*header.target_size_bytes)) || size == 0)
      return malformed_patch("bad excerpt size");
    header.excerpt_size_bytes = size;
  }
  header.body_offset = reader.position();
  return header;
}

Result<OpenPatch> open_patch(const HeldBytes& held, BytesView patch, const Limits& limits, PatchContext* context) {
  const bool is_at_baseline = context != nullptr && context->is_at(held.digest);
  OpenPatch open;
  if (context != nullptr) open.context = context->release();
  const Result<PatchHeader> header = read_patch_header(patch);
  if (!header) return header.error();
  const std::size_t size = held.bytes.size();
  if (header->baseline_size_bytes.value_or(size) != size) {
    return Error{ErrorCode::kWrongBaseline, "patch: made for a baseline of another size"};
  }
  open.header = *header;
  open.target_size = header->target_size_bytes.value_or(size);
  open.body = patch.subspan(header->body_offset);
  if (open.target_size > limits.max_snapshot_bytes) {
    return Error{ErrorCode::kSnapshotTooBig, "patch: target above the limit"};
  }
  if (header->kind == PatchKind::kBytes || header->kind == PatchKind::kWhole) {
    open.context = nullptr;
    return open;
  }
  if (size == 0 || size > codec::kMaxBytes) return malformed_patch("no baseline to speak of");
  if (header->continues && !is_at_baseline) {
    return Error{ErrorCode::kWrongBaseline, "patch: continues what was not received"};
  }
  if (!header->continues) open.context = std::make_unique<codec::Context>(codec::new_context(held.structure()));
  return open;
}

Result<Bytes> decode_target(const HeldBytes& held, OpenPatch& patch) {
  Bytes target(patch.target_size);
  if (patch.header.kind == PatchKind::kBytes) {
    if (const char* problem = OpRunner(held.bytes, patch.body, target).run()) return malformed_patch(problem);
  } else if (patch.header.kind == PatchKind::kWhole) {
    if (!codec::decode_whole(*patch.header.excerpt_size_bytes, patch.body, target))
      return malformed_patch("objects that do not fit");
  } else if (!codec::decode_moved(*patch.context, held.bytes, patch.body, target)) {
    return malformed_patch("moves that do not fit");
  }
  return target;
}

Result<SnapshotPtr> apply_patch(const Snapshot& baseline, BytesView patch, const Limits& limits,
                                PatchContext* context) {
  const HeldBytes held{baseline.bytes(), baseline.digest(), [&] { return baseline.structure(); }};
  Result<OpenPatch> open = open_patch(held, patch, limits, context);
  if (!open) return open.error();
  SnapshotPtr snapshot;
  if (open->header.kind == PatchKind::kInPlace) {
    Bytes target(held.bytes.begin(), held.bytes.end());
    codec::Touched touched;
    touched.reset(target.size());
    if (!codec::decode_in_place(*open->context, open->body, target.data(), touched)) {
      return malformed_patch("changes that do not fit");
    }
    snapshot = Snapshot::take_changed(std::move(target), baseline, touched.ranges());
  } else {
    Result<Bytes> decoded = decode_target(held, *open);
    if (!decoded) return decoded.error();
    snapshot = Snapshot::take(std::move(*decoded), &baseline);
  }
  if (snapshot->digest() != open->header.digest) {
    return Error{ErrorCode::kDigestMismatch, "patch: the result is not the sender's"};
  }
  if (context != nullptr && open->context != nullptr) context->hold(std::move(open->context), snapshot->digest());
  return snapshot;
}

}  // namespace libsync
