#include "cross/chains.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <utility>

#include "byte_writer.h"
#include "codec/contents.h"
#include "codec/excerpt.h"
#include "cross/symbol_tape.h"
#include "libsync/replica.h"
#include "unit/odd_layouts.h"
#include "unit/random_world.h"
#include "unit/small_world.h"
#include "unit/support.h"

namespace libsync::cross {
namespace {

using test::pick;
using test::Random;

constexpr int kHonestSteps = 7;  // the first from nothing
constexpr int kMutatedChains = 80;
constexpr std::size_t kMutatedSteps = 8;  // at most
constexpr int kBentChains = 20;

[[noreturn]] void complain(const char* what) {
  std::fprintf(stderr, "the C++ decoders differ: %s\n", what);
  std::abort();
}

// Both ways to apply a patch here, which have to agree.
struct Receiver {
  SnapshotPtr held;
  PatchContext context;

  Step take(Bytes patch, Replica& replica) {
    Result<SnapshotPtr> applied = apply_patch(*held, patch, chain_limits(), &context);
    const Result<Digest> in_place = replica.apply(patch, chain_limits());
    const ErrorCode error = applied ? ErrorCode::kNone : applied.error().code;
    if (error != (in_place ? ErrorCode::kNone : in_place.error().code)) complain("apply_patch() and Replica");
    if (applied) held = *applied;
    if (!std::ranges::equal(replica.bytes(), held->bytes())) complain("the bytes of a Replica");
    return {std::move(patch), error, applied ? held->digest() : Digest{}};
  }
};

// An honest patch, and how it can be said again with other symbols.
struct Honest {
  Bytes patch;
  PatchHeader header;
  std::size_t target_size = 0;
  Tape tape;
};

// `excerpt_size`: of kWhole.
template <typename Decoder>
bool decode(codec::Context& context, Decoder& decoder, PatchKind kind, std::size_t excerpt_size, BytesView baseline,
            Bytes& target) {
  if (kind == PatchKind::kWhole) return codec::decode_whole(context, decoder, excerpt_size, target);
  if (kind == PatchKind::kMoved) return codec::decode_objects(context, decoder, baseline, target);
  target.assign(baseline.begin(), baseline.end());
  return codec::decode_types(context, decoder, target.data(), [](std::uint32_t, std::uint32_t) {});
}

// The context of a patch at `at`.
codec::Context context_at(const Receiver& at, bool continues) {
  PatchContext copy = at.context;
  return continues ? *copy.release() : codec::new_context(at.held->structure());
}

Tape record(const Receiver& at, const Honest& honest) {
  Tape tape;
  if (honest.header.kind == PatchKind::kBytes) return tape;
  codec::Context context = context_at(at, honest.header.continues);
  Recorder recorder(BytesView(honest.patch).subspan(honest.header.body_offset), tape);
  Bytes target(honest.target_size);
  if (!decode(context, recorder, honest.header.kind, honest.header.excerpt_size_bytes.value_or(0), at.held->bytes(),
              target) ||
      !recorder.at_end() || digest_of(target) != honest.header.digest) {
    complain("an honest patch, read symbol by symbol");
  }
  return tape;
}

class Family {
 public:
  explicit Family(std::uint64_t number) : random_(number) {
    is_rough_ = pick(random_, 0, 4) == 0;
    const std::function<Bytes()> next = make_world();
    receivers_.push_back({Snapshot::empty(), {}});
    PatchContext sent;
    for (int i = 0; i < kHonestSteps; ++i) {
      const Receiver& before = receivers_.back();
      const SnapshotPtr target = Snapshot::copy_of(next());
      Honest honest;
      const std::uint64_t how = pick(random_, 0, 15);
      if (how < 2) sent.close();
      make_patch(*before.held, *target, honest.patch, kPatchFormat, &sent);
      if (how == 2) send_whole(*target, honest.patch, sent);
      honest.header = *read_patch_header(honest.patch);
      honest.target_size = target->size_bytes();
      honest.tape = record(before, honest);
      Receiver after = before;
      const Result<SnapshotPtr> applied = apply_patch(*before.held, honest.patch, chain_limits(), &after.context);
      if (!applied || (*applied)->digest() != target->digest()) complain("an honest patch");
      after.held = *applied;
      honest_.push_back(std::move(honest));
      receivers_.push_back(std::move(after));
    }
  }

  std::vector<Chain> make_chains() {
    std::vector<Chain> chains;
    chains.push_back(honest_chain(honest_.size()));
    chains[0].n_prefix = 0;
    for (int i = 0; i < kMutatedChains; ++i) chains.push_back(mutated_chain());
    for (int i = 0; i < kBentChains; ++i) chains.push_back(bent_chain());
    return chains;
  }

 private:
  // States of a world, one after the other. Rough ones have bytes that no builder wrote.
  std::function<Bytes()> make_world() {
    const std::uint64_t which = pick(random_, 0, 9);
    if (which == 0) {
      is_rough_ = true;
      return [this, bytes = odd_bytes()]() mutable { return bytes = roughened(bytes); };
    }
    if (which < 5) {
      const auto n = static_cast<std::uint32_t>(pick(random_, 0, 12));
      return [this, world = test::small_world(n)]() mutable {
        const Bytes bytes = world.build();
        test::play(world, random_);
        return roughened(bytes);
      };
    }
    return [this, world = test::RandomWorld(random_)]() mutable {
      const Bytes bytes = world.build();
      world.play(random_);
      return roughened(bytes);
    };
  }
  // Who holds something may get a whole state as well.
  static void send_whole(const Snapshot& target, Bytes& patch, PatchContext& sent) {
    Bytes whole;
    make_patch(*Snapshot::empty(), target, whole);
    if (read_patch_header(whole)->kind != PatchKind::kWhole) return;
    patch = std::move(whole);
    sent.close();
  }
  Bytes odd_bytes() {
    switch (pick(random_, 0, 4)) {
      case 0: return test::shared_layout();
      case 1: return test::overlapping_layout();
      case 2: return test::crowded_layout(static_cast<std::uint32_t>(pick(random_, 1, 30)), 200);
      default: {
        const auto draw = [&](std::uint64_t most) { return static_cast<std::uint32_t>(pick(random_, 1, most)); };
        return test::costly_layout(draw(3), draw(60), draw(900), draw(9));
      }
    }
  }
  Bytes roughened(Bytes bytes) {
    if (!is_rough_) return bytes;
    for (std::uint64_t n = pick(random_, 0, 6); n > 0; --n) {
      std::byte& byte = bytes[pick(random_, 0, bytes.size() - 1)];
      byte = pick(random_, 0, 1) == 0 ? byte ^ static_cast<std::byte>(4u << pick(random_, 0, 4)) : std::byte{0};
    }
    return bytes;
  }

  Chain honest_chain(std::size_t n_steps) const {
    const BytesView baseline = receivers_[0].held->bytes();
    Chain chain{Bytes(baseline.begin(), baseline.end()), {}, n_steps};
    for (std::size_t i = 0; i < n_steps; ++i)
      chain.steps.push_back({honest_[i].patch, ErrorCode::kNone, honest_[i].header.digest});
    return chain;
  }

  // Other symbols, as long as they say anything at all; then an honest patch once more.
  Chain mutated_chain() {
    const std::size_t begin = pick(random_, 0, honest_.size() - 1);
    Chain chain = honest_chain(begin);
    Receiver receiver = receivers_[begin];
    Replica replica = replica_after(chain);
    for (std::size_t i = 0; i < kMutatedSteps; ++i) {
      const std::size_t like =
          pick(random_, 0, 4) == 0 ? pick(random_, 0, honest_.size() - 1) : std::min(begin + i, honest_.size() - 1);
      const PatchKind kind = honest_[like].header.kind;
      const bool is_empty = receiver.held->size_bytes() == 0;
      if (kind == PatchKind::kBytes || (is_empty && kind != PatchKind::kWhole)) break;
      const bool is_sent = i > 0 && !is_empty && pick(random_, 0, 5) == 0;
      chain.steps.push_back(
          receiver.take(is_sent ? sent_patch(receiver) : mutated_patch(receiver, honest_[like]), replica));
      if (chain.steps.back().error != ErrorCode::kNone) break;
    }
    if (pick(random_, 0, 3) == 0) chain.steps.push_back(receiver.take(honest_[begin].patch, replica));
    return chain;
  }

  Bytes mutated_patch(const Receiver& at, const Honest& like) {
    PatchKind kind = like.header.kind;
    const bool is_whole = kind == PatchKind::kWhole;
    if (!is_whole && pick(random_, 0, 9) == 0)
      kind = kind == PatchKind::kMoved ? PatchKind::kInPlace : PatchKind::kMoved;
    std::size_t size = at.held->size_bytes();
    if (kind != PatchKind::kInPlace) {
      size = like.target_size;
      if (pick(random_, 0, 5) == 0) size = std::max<std::size_t>(32, size + pick(random_, 0, 64)) - 32;
    }
    std::size_t excerpt_size = 0;
    if (is_whole) {
      excerpt_size = *like.header.excerpt_size_bytes;
      if (pick(random_, 0, 15) == 0) excerpt_size = std::max<std::size_t>(8, excerpt_size + pick(random_, 0, 16)) - 8;
      size = std::max<std::size_t>(1, size);
      excerpt_size = std::clamp<std::size_t>(excerpt_size, 1, codec::max_excerpt_bytes(size));
    }
    const bool continues = !is_whole && at.context.is_at(*at.held) && pick(random_, 0, 11) != 0;
    codec::Context context = is_whole ? codec::new_context(nullptr) : context_at(at, continues);
    constexpr unsigned kRates[] = {0, 2, 5, 10, 20, 50, 150};  // of a thousand symbols
    // Mostly an excerpt stays as it is, or little of what follows had a meaning: two symbols for each of its bytes.
    const std::size_t n_kept = is_whole && pick(random_, 0, 3) != 0 ? 2 * excerpt_size : 0;
    Mutator mutator(like.tape, kRates[pick(random_, 0, std::size(kRates) - 1)], random_, n_kept);
    Bytes target(size);
    const bool is_target = decode(context, mutator, kind, excerpt_size, at.held->bytes(), target);
    Bytes patch;
    ByteWriter writer(patch);
    writer.u8(static_cast<std::uint8_t>(static_cast<unsigned>(kind) | (continues ? kContinuesBit : 0)));
    if (kind != PatchKind::kInPlace) writer.varint(size);
    const Digest digest = is_target ? digest_of(target) : Digest{random_()};
    writer.u64(digest.value);
    if (is_whole) writer.varint(excerpt_size);
    writer.bytes(mutator.stream());

    Receiver copy = at;
    const Result<SnapshotPtr> applied = apply_patch(*at.held, patch, chain_limits(), &copy.context);
    if (applied.has_value() != is_target || (!applied && applied.error().code != ErrorCode::kMalformed))
      complain("what was said symbol by symbol, and the patch made of it");
    return patch;
  }

  // What an honest sender makes of a state that no honest sender led to.
  Bytes sent_patch(const Receiver& at) {
    PatchContext sent = at.context;
    Bytes target(at.held->bytes().begin(), at.held->bytes().end());
    if (pick(random_, 0, 2) == 0) {
      const BytesView other = receivers_[pick(random_, 0, receivers_.size() - 1)].held->bytes();
      target.assign(other.begin(), other.end());
    } else {
      for (std::uint64_t n = pick(random_, 0, 5); n > 0; --n)
        target[pick(random_, 0, target.size() - 1)] ^= static_cast<std::byte>(1u << pick(random_, 0, 7));
    }
    Bytes patch;
    make_patch(*at.held, *Snapshot::copy_of(target), patch, kPatchFormat, &sent);
    if (patch.size() > target.size() + kPatchOverheadBytes) complain("a patch larger than it may be");
    return patch;
  }

  // An honest patch with other bytes, then the honest one that follows.
  Chain bent_chain() {
    const std::size_t begin = pick(random_, 0, honest_.size() - 1);
    Chain chain = honest_chain(begin);
    Receiver receiver = receivers_[begin];
    Replica replica = replica_after(chain);
    Bytes patch = honest_[begin].patch;
    for (std::uint64_t n = pick(random_, 1, 3); n > 0 && !patch.empty(); --n) bend(patch);
    chain.steps.push_back(receiver.take(std::move(patch), replica));
    if (begin + 1 < honest_.size()) chain.steps.push_back(receiver.take(honest_[begin + 1].patch, replica));
    return chain;
  }
  void bend(Bytes& patch) {
    const std::size_t at = pick(random_, 0, patch.size() - 1);
    const auto place = patch.begin() + static_cast<std::ptrdiff_t>(at);
    switch (pick(random_, 0, 7)) {
      case 0: patch.resize(at); break;
      case 1: patch.push_back(static_cast<std::byte>(random_())); break;
      case 2: patch.insert(place, static_cast<std::byte>(random_())); break;
      case 3: patch.erase(place); break;
      case 4: patch[0] = static_cast<std::byte>(pick(random_, 0, 9)); break;
      default: *place ^= static_cast<std::byte>(1u << pick(random_, 0, 7)); break;
    }
  }

  static Replica replica_after(const Chain& chain) {
    Replica replica(*Snapshot::copy_of(chain.baseline));
    for (const Step& step : chain.steps) {
      if (!replica.apply(step.patch, chain_limits())) complain("an honest patch in a Replica");
    }
    return replica;
  }

  Random random_;
  bool is_rough_ = false;
  std::vector<Receiver> receivers_;  // [honest_ + 1] before each patch, and at the end
  std::vector<Honest> honest_;
};

}  // namespace

std::vector<Chain> make_family(std::uint64_t number) { return Family(number).make_chains(); }

}  // namespace libsync::cross
