#include "codec/byte_tests.h"

#include <optional>
#include <utility>

namespace libsync::codec {

// Index of the shape, or kNone.
std::uint32_t ByteTests::shape_at(std::uint32_t position) {
  const auto [known, is_new] = shape_index_.try_emplace(position, kNone);
  if (!is_new) return known->second;
  if (size_ - position < 4) return kNone;
  const std::uint32_t size = load16(bytes_ + position);
  if (size > size_ - position) return kNone;
  std::uint32_t n_read = 0;
  std::optional<Shape> shape = read_shape({bytes_ + position, size}, n_read);
  work_left_ -= n_read;
  if (!shape) return kNone;
  shape_positions_.push_back(position);
  known->second = static_cast<std::uint32_t>(shapes_.size());
  shapes_.push_back(std::move(*shape));
  return known->second;
}

bool ByteTests::is_references(std::uint32_t start, bool texts, bool& is_some) {
  const std::uint32_t count = load32(bytes_ + start);
  if (count > (size_ - start - 4) / 4) return false;
  const std::uint8_t mark = texts ? 2 : 1;
  const auto known = known_references_.find(start);
  if (known != known_references_.end() && (known->second & mark) != 0) {
    is_some = true;
    return true;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (--work_left_ < 0) return false;
    const std::uint32_t target = target_of(start + 4 + 4 * i);
    if (target == kNone || !(texts ? is_text(target) : is_table(target))) return false;
  }
  if (count > 0) {
    known_references_[start] |= mark;
    is_some = true;
  }
  return true;
}

}  // namespace libsync::codec
