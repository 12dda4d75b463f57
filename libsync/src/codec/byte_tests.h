// byte_tests.h: what bytes of a snapshot could be, whatever else is known of them.
// Rules: docs/WIRE_FORMAT.md section 3.3, "Tests".
#pragma once

#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "codec/structure.h"
#include "libsync/types.h"

namespace libsync::codec {

class ByteTests {
 public:
  // What is looked at is taken off `work_left`; vtables that pass are appended to `shapes`. All outlive this.
  ByteTests(BytesView bytes, std::int64_t& work_left, std::vector<Shape>& shapes)
      : bytes_(bytes.data()), size_(static_cast<std::uint32_t>(bytes.size())), work_left_(work_left), shapes_(shapes) {}

  // Index of the vtable of a table at `start`; kNone: it is none.
  std::uint32_t shape_of_table(std::uint32_t start) {
    if (start % 4 != 0 || start >= size_ || size_ - start < 4) return kNone;
    const std::uint32_t vtable = start - load32(bytes_ + start);
    if (vtable % 2 != 0 || vtable >= size_) return kNone;
    const std::uint32_t shape = shape_at(vtable);
    return shape != kNone && shapes_[shape].table_size <= size_ - start ? shape : kNone;
  }
  bool is_table(std::uint32_t start) { return shape_of_table(start) != kNone; }
  // Requires, as does is_references(): target_of() gave `start`.
  bool is_text(std::uint32_t start) {
    if (size_ - start < 5) return false;
    const std::uint32_t length = load32(bytes_ + start);
    if (length > size_ - start - 5 || bytes_[start + 4 + length] != std::byte{0}) return false;
    work_left_ -= length / 8;
    return std::memchr(bytes_ + start + 4, 0, length) == nullptr;
  }
  // A vector whose elements all refer to tables, or all to strings. `is_some` is set if it has any.
  bool is_references(std::uint32_t start, bool texts, bool& is_some);
  // Where the reference at `position` leads, or kNone if it can be none. Requires: position + 4 <= size.
  std::uint32_t target_of(std::uint32_t position) const {
    const std::uint32_t offset = load32(bytes_ + position);
    if (offset < 4 || offset > size_ - position - 4) return kNone;
    return (position + offset) % 4 == 0 ? position + offset : kNone;
  }

  // Where the vtable was found.
  std::uint32_t position_of(std::uint32_t shape) const { return shape_positions_[shape]; }

 private:
  std::uint32_t shape_at(std::uint32_t position);

  const std::byte* bytes_;
  std::uint32_t size_;
  std::int64_t& work_left_;
  std::vector<Shape>& shapes_;
  std::vector<std::uint32_t> shape_positions_;                        // [shapes]
  std::unordered_map<std::uint32_t, std::uint32_t> shape_index_;      // of positions; kNone: no vtable
  std::unordered_map<std::uint32_t, std::uint8_t> known_references_;  // starts; 1: of tables, 2: of strings
};

}  // namespace libsync::codec
