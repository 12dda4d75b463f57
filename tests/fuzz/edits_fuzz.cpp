// Edits of small states, each sent and received as a patch in a context: every byte comes back, and no patch is larger
// than it may be. Input: one byte state, then edits of four bytes: what, where (two bytes), how much. A patch is made
// where an edit says so, and at the end.
#include "fuzz/decoding.h"

namespace {

using namespace libsync;

// Both ends of a row of patches.
class Pair {
 public:
  explicit Pair(SnapshotPtr held) : held_(std::move(held)) {}

  void send(const Bytes& bytes) {
    const SnapshotPtr target = Snapshot::copy_of(bytes);
    Bytes patch;
    make_patch(*held_, *target, patch, kPatchFormat, &sent_);
    fuzz::check(patch.size() <= bytes.size() + kPatchOverheadBytes);
    const Result<SnapshotPtr> received = apply_patch(*held_, patch, Limits{}, &received_);
    fuzz::check(received && std::ranges::equal((*received)->bytes(), bytes));
    held_ = target;
  }

 private:
  SnapshotPtr held_;
  PatchContext sent_, received_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 5) return 0;
  const fuzz::State& state = fuzz::state_of(data[0]);
  Bytes bytes = state.bytes;
  Pair pair(state.held);
  unsigned n_sent = 0;
  for (std::size_t i = 1; i + 4 <= size && n_sent < 2; i += 4) {
    const std::size_t at = bytes.empty() ? 0 : (data[i + 1] + 256u * data[i + 2]) % bytes.size();
    const std::size_t left = bytes.size() - at;
    const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const unsigned how_much = data[i + 3];
    switch (data[i] % 8) {
      case 0:  // a value
        if (left > 0) *place = static_cast<std::byte>(how_much);
        break;
      case 1:  // a number moves
        if (left >= 4) codec::store32(&*place, codec::load32(&*place) + how_much);
        break;
      case 2:  // another reference, or a larger number
        if (left >= 4) codec::store32(&*place, codec::load32(&*place) - 4 * how_much);
        break;
      case 3:  // room for something new
        if (bytes.size() < 1200) bytes.insert(place, 4 * (how_much % 16), std::byte{0});
        break;
      case 4:  // something less
        bytes.erase(place, place + static_cast<std::ptrdiff_t>(std::min<std::size_t>(left, how_much)));
        break;
      case 5:  // something moves
        std::rotate(place, place + static_cast<std::ptrdiff_t>(std::min<std::size_t>(left, how_much)), bytes.end());
        break;
      case 6:  // something is there twice
        if (bytes.size() < 1200) {
          const Bytes copy(place, place + static_cast<std::ptrdiff_t>(std::min<std::size_t>(left, how_much)));
          bytes.insert(bytes.end(), copy.begin(), copy.end());
        }
        break;
      default: pair.send(bytes), ++n_sent; break;
    }
  }
  pair.send(bytes);
  return 0;
}
