// models.h: what both ends have learnt from the patches of a context: how the values of each column change, and by how
// much each changed in the last step. Rules: docs/WIRE_FORMAT.md section 3.5.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "codec/entropy_coder.h"
#include "codec/structure.h"

namespace libsync::codec {

inline constexpr Nibble kFewNibble = expecting({60, 8, 6, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1});
inline constexpr Nibble kNearNibble = expecting({40, 20, 15, 10, 8, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1});
inline constexpr Nibble kGapNibble = expecting({178, 147, 121, 99, 82, 67, 55, 45, 37, 31, 25, 21, 17, 14, 12, 60});
inline constexpr Nibble kSizeNibble = expecting({30, 25, 20, 12, 12, 10, 6, 4, 0, 0, 0, 0, 0, 0, 0, 0});
inline constexpr Nibble kShortNibble = expecting({1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0});
inline constexpr Bit kOften{.no = kProbabilityOne / 8};
inline constexpr Bit kSeldom{.no = kProbabilityOne - kProbabilityOne / 8};

// How an entry is predicted from its steps so far.
enum class Order : std::uint8_t {
  kStays,       // it does not change
  kGoesOn,      // it changes by as much as last time
  kAccelerates  // its step changes by as much as last time
};
inline constexpr std::uint32_t kOrders = 3;

// An entry that the last step changed.
struct Motion {
  std::uint32_t row = 0;  // in the type
  std::uint32_t column = 0;
  std::int32_t step = 0;    // by how much, modulo its width
  std::int32_t before = 0;  // in the step before that; 0: it did not change

  std::int32_t expected(Order order) const {
    const auto now = static_cast<std::uint32_t>(step);
    if (order == Order::kStays) return 0;
    if (order == Order::kGoesOn) return step;
    return static_cast<std::int32_t>(2 * now - static_cast<std::uint32_t>(before));
  }
};

// Of values: their lengths in bits by fours, then the rest of the length and the sign for each of these.
struct ValueModel {
  // 1 + index in Models::nibbles; [0, 16): detail by size, [16] size. 0: not used so far.
  std::array<std::uint32_t, 17> nibbles{};
};

struct ColumnModel {
  std::uint32_t column = 0;
  bool was_active = false;
  Order order = Order::kStays;
  // By whether the column before in the row changed, whether any did (2), whether this entry changed last time (4).
  std::array<Bit, 8> is_changed;
  std::array<std::uint32_t, 2> values{};  // of entries without and with a prediction; as in TypeModel::fresh
};

// How far changed rows are apart.
struct Gaps {
  Nibble near = kGapNibble;
  Number far;
};

// Columns that all types of a context together know, at most, whatever a stream says: what each costs must be in
// proportion to a byte's cost. The densest table has one for each three bytes: a field of one and its two in the
// vtable.
inline constexpr std::size_t max_known_columns(std::size_t size_bytes) {
  return std::min<std::size_t>(65536, size_bytes / 3 + 64);
}

struct TypeModel {
  std::uint64_t stamp = 0;  // another one when other columns take part
  bool was_any = false;
  std::array<Bit, 2> is_any{kSeldom, kOften};
  Bit is_new_column = kSeldom;
  Bit is_again;
  bool has_count = false;
  Number count;
  Gaps gaps;
  std::vector<ColumnModel> columns;  // that changed ever, ascending
  std::vector<Motion> motions;       // by row, then column
  // Of objects without a predecessor, by column: whether it differs, and 1 + index in Models::values, 0: not used so
  // far.
  std::unordered_map<std::uint32_t, std::pair<Bit, std::uint32_t>> fresh;
};

// Of the steps of an arrangement.
inline constexpr std::size_t kSteps = 9;
struct ArrangementModels {
  std::array<Nibble, kSteps> steps;
  std::array<Number, kSteps * kSteps> counts;
  Number jump, jump_type, fresh_type, padding, length, reshape_type, which_shape, shape_entry;
  Number n_splices, splice_copy, splice_remove, splice_insert, element_run, element_step;
  Bit is_data;
  std::uint64_t n_shape_bytes = 0;  // what the vtables that were added take
};

// Of strings: how they differ from those before them, and their characters by halves.
struct TextModels {
  Bit is_raw_text;
  Number length_step, prefix, suffix;
  std::array<Nibble, 16> high, low;
};

struct Models {
  Models() {
    count.length = kFewNibble;
    column_gap.length = kNearNibble;
    size = kSizeNibble;
    details.fill(kShortNibble);
  }

  // Of all types and columns: what a new one's begin as.
  Number count;
  Nibble size;
  std::array<Nibble, 16> details;

  std::array<Bit, 2> is_active{kSeldom, kOften};
  std::array<Nibble, kOrders> orders;
  Number n_columns, column_gap;
  TextModels texts;
  ArrangementModels arrangement;
  std::vector<TypeModel> types;
  std::size_t n_known_columns = 0;  // of all types
  std::vector<ValueModel> values;
  std::vector<Nibble> nibbles;
};

}  // namespace libsync::codec
