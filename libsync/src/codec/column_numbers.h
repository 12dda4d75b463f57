// column_numbers.h: the numbers of a type's columns, in the order in which they were met.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace libsync::codec {

// A hash table in at most two blocks of memory: a snapshot has a table per type, and each patch that adds a vtable
// copies them all.
class ColumnNumbers {
 public:
  std::uint32_t size() const { return static_cast<std::uint32_t>(keys_.size()); }
  // The number of the column with this key; a new one gets the next.
  std::uint32_t number_of(std::uint32_t key) {
    if (keys_.size() < kFew) {
      for (std::uint32_t i = 0; i < keys_.size(); ++i) {
        if (keys_[i] == key) return i;
      }
    } else {
      if (slots_.size() < 2 * keys_.size()) grow();
      const std::size_t slot = slot_of(key);
      if (slots_[slot] != 0) return slots_[slot] - 1;
      slots_[slot] = size() + 1;
    }
    keys_.push_back(key);
    return size() - 1;
  }

 private:
  static constexpr std::size_t kFew = 16;

  // Where the key is, or belongs.
  std::size_t slot_of(std::uint32_t key) const {
    const std::size_t mask = slots_.size() - 1;
    // The upper half of a product depends on all bits of the key.
    std::size_t slot = (key * std::uint64_t{0x9e3779b97f4a7c15} >> 32) & mask;
    while (slots_[slot] != 0 && keys_[slots_[slot] - 1] != key) slot = (slot + 1) & mask;
    return slot;
  }
  void grow() {
    slots_.assign(keys_.size() <= kFew ? 4 * kFew : 2 * slots_.size(), 0);
    for (std::uint32_t i = 0; i < keys_.size(); ++i) slots_[slot_of(keys_[i])] = i + 1;
  }

  std::vector<std::uint32_t> keys_;   // [columns]
  std::vector<std::uint32_t> slots_;  // [a power of two, at least twice the columns] columns, plus one; 0: free
};

}  // namespace libsync::codec
