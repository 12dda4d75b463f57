// residual.h: what is left between a prediction and the target, coded row by row and column by column.
// Format: docs/WIRE_FORMAT.md section 3.5. One template for both directions: see entropy_coder.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

#include "codec/entropy_coder.h"
#include "codec/structure.h"

namespace libsync::codec {

// What an entry of a row is: bytes [position, position + width), width 0: this row has no such column.
struct Entry {
  std::uint32_t position = 0;
  std::uint32_t width = 0;
};

inline constexpr std::uint32_t kTailColumns = 0x20000;

// The objects that a patch speaks of, by type. In place these are the baseline's own.
struct Rows {
  const std::vector<Type>* types = nullptr;
  const std::vector<Shape>* shapes = nullptr;
  // [types]; null: the types' own objects.
  const std::vector<std::vector<Object>>* objects = nullptr;

  const std::vector<Object>& of(std::uint32_t type) const {
    return objects != nullptr ? (*objects)[type] : (*types)[type].objects;
  }
};

// Calls visit(column, entry) for every entry of row `row` of the object, by column.
template <typename Visit>
void for_each_entry(const Type& type, const std::vector<Shape>& shapes, const Object& object, std::uint32_t row,
                    Visit visit) {
  const auto clip = [&](std::uint32_t position, std::uint32_t width, std::uint32_t end) {
    return Entry{position, std::min(width, end - position)};
  };
  if (type.kind == Kind::kTable) {
    const Shape& shape = shapes[object.shape];
    for (const Lane& lane : shape.lanes) {
      const std::uint32_t position = object.start + lane.offset;
      if (position < object.end) visit(lane.column, clip(position, lane.width, object.end));
    }
    std::uint32_t column = kTailColumns;
    for (std::uint32_t at = object.start + shape.table_size; at < object.end; at += 4) {
      visit(column++, clip(at, 4, object.end));
    }
    return;
  }
  std::uint32_t begin = object.start, end = object.end, column = 0;
  if (type.has_length() && !type.is_whole) {
    const std::uint32_t rows_begin = std::min(object.start + 4, object.end);
    if (row == 0) {
      end = rows_begin;
    } else {
      begin = rows_begin + (row - 1) * type.row_bytes();
      end = std::min(end, begin + type.row_bytes());
      column = 1;
    }
  } else if (!type.is_whole) {
    begin = object.start + 32 * row;
    end = std::min(end, begin + 32);
  }
  for (; begin < end; begin += 4) visit(column++, clip(begin, 4, end));
}

// An entry that differs from its prediction by `delta`, modulo its width.
struct Change {
  std::uint32_t row = 0;  // in the type
  std::uint32_t column = 0;
  Entry entry;
  std::int32_t delta = 0;
};

inline std::uint32_t load_entry(const std::byte* bytes, Entry entry) {
  if (entry.width == 4) return load32(bytes + entry.position);
  std::uint32_t value = 0;
  for (std::uint32_t i = 0; i < entry.width; ++i)
    value |= static_cast<std::uint32_t>(bytes[entry.position + i]) << (8 * i);
  return value;
}
inline void store_entry(std::byte* bytes, Entry entry, std::uint32_t value) {
  if (entry.width == 4) return store32(bytes + entry.position, value);
  for (std::uint32_t i = 0; i < entry.width; ++i) bytes[entry.position + i] = static_cast<std::byte>(value >> (8 * i));
}
inline std::int32_t delta_of(std::uint32_t from, std::uint32_t to, std::uint32_t width) {
  const unsigned shift = 32 - 8 * width;
  return static_cast<std::int32_t>((to - from) << shift) >> shift;
}

inline constexpr Nibble kFewNibble = expecting({60, 8, 6, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1});
inline constexpr Nibble kNearNibble = expecting({40, 20, 15, 10, 8, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1});
inline constexpr Nibble kGapNibble = expecting({178, 147, 121, 99, 82, 67, 55, 45, 37, 31, 25, 21, 17, 14, 12, 60});
inline constexpr Nibble kSizeNibble = expecting({30, 25, 20, 12, 12, 10, 6, 4, 0, 0, 0, 0, 0, 0, 0, 0});
inline constexpr Nibble kShortNibble = expecting({1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0});
inline constexpr Nibble kRareNibble = expecting({500, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2});

template <typename Coder>
class ResidualCoder {
 public:
  // `bytes`: for a Decoder the prediction, which becomes the target; for an Encoder the target.
  ResidualCoder(Coder& coder, const Rows& rows, std::byte* bytes) : coder_(coder), rows_(rows), bytes_(bytes) {
    count_.length = kFewNibble;
    rare_count_.length = kRareNibble;
    text_count_.length = kFewNibble;
    column_gap_.length = kNearNibble;
    all_sizes_ = kSizeNibble;
    all_details_.fill(kShortNibble);
  }

  // Every stored entry is told before it changes: (position, width).
  template <typename BeforeStore>
  bool rows(std::uint32_t type_index, const std::vector<Change>& changes, BeforeStore before_store) {
    const Type& type = (*rows_.types)[type_index];
    const std::vector<Object>& objects = rows_.of(type_index);
    std::uint32_t n_changed = 0;
    if constexpr (!Coder::kDecodes) {
      for (std::size_t i = 0; i < changes.size(); ++i)
        n_changed += i == 0 || changes[i].row != changes[i - 1].row ? 1u : 0u;
    }
    n_changed = coder_.number(type.kind == Kind::kTable || type.kind == Kind::kData ? count_ : rare_count_, n_changed);
    if (n_changed == 0) return true;
    const std::uint32_t n_rows = type.n_rows;
    if (n_changed > n_rows) return false;
    if (!code_columns(changes, type)) return false;

    Gaps gaps;
    std::size_t at = 0;            // in changes
    std::uint32_t row = 0;         // the next one, in the type
    std::size_t object_index = 0;  // where it is
    std::uint32_t first_row = 0;   // of that object
    for (std::uint32_t left = n_changed; left > 0; --left, ++row) {
      std::uint32_t gap = 0;
      if constexpr (!Coder::kDecodes) gap = changes[at].row - row;
      if (!code_gap(gaps, n_rows - row, left, gap)) return false;
      row += gap;
      if (type.has_one_row()) {
        object_index = first_row = row;
      } else {
        for (std::uint32_t n = 0; first_row + (n = type.rows_of(size_of(objects[object_index]))) <= row;
             ++object_index) {
          first_row += n;
        }
      }
      find_entries(type, objects[object_index], row - first_row);
      if (!code_row(row, changes, at, before_store)) return false;
    }
    return true;
  }

  // A row without a predecessor: every entry may differ.
  template <typename BeforeStore>
  void fresh_object(std::uint32_t type_index, const Object& object, const std::byte* prediction,
                    BeforeStore before_store) {
    const Type& type = (*rows_.types)[type_index];
    const std::uint32_t n_rows = type.rows_of(size_of(object));
    for (std::uint32_t row = 0; row < n_rows; ++row) {
      for_each_entry(type, *rows_.shapes, object, row, [&](std::uint32_t column, Entry entry) {
        ColumnModel& model = fresh_[std::uint64_t{type_index} << 32 | fresh_column(type, column)];
        std::int32_t delta = 0;
        if constexpr (!Coder::kDecodes)
          delta = delta_of(load_entry(prediction, entry), load_entry(bytes_, entry), entry.width);
        if (coder_.bit(model.is_changed[0], delta != 0)) change(model, entry, delta, before_store);
      });
    }
  }

  // A string from the text of another: what they begin and end with, and what is between. `room`: bytes of the object.
  // For an Encoder `object` is the target's. False: no text fits (Decoder).
  bool text(BytesView source, std::uint32_t predicted_length, std::byte* object, std::uint32_t room) {
    Bytes& out = text_;
    std::uint32_t length = 0, prefix = 0, suffix = 0;
    bool is_raw = false;
    BytesView target;
    const auto source_size = static_cast<std::uint32_t>(source.size());
    if constexpr (!Coder::kDecodes) {
      length = room >= 5 ? load32(object) : 0;
      is_raw = room < 5 || length > room - 5 || !is_zero({object + 4 + length, room - 4 - length});
      if (!is_raw) {
        target = {object + 4, length};
        const std::uint32_t most = std::min(source_size, length);
        while (prefix < most && source[prefix] == target[prefix]) ++prefix;
        while (suffix < most - prefix && source[source_size - 1 - suffix] == target[length - 1 - suffix]) ++suffix;
      }
    }
    if (coder_.bit(is_raw_text_, is_raw)) {
      for (std::uint32_t i = 0; i < room; ++i) {
        object[i] = character(i == 0 ? std::byte{0} : object[i - 1], object[i]);
      }
      return true;
    }
    const auto step = static_cast<std::int32_t>(length - predicted_length);
    const std::uint32_t zigzag =
        coder_.number(length_step_, static_cast<std::uint32_t>(step) << 1 ^ static_cast<std::uint32_t>(step >> 31));
    length = predicted_length + (zigzag >> 1 ^ (0u - (zigzag & 1)));
    if (room < 5 || length > room - 5) return false;
    const std::uint32_t most = std::min(source_size, length);
    prefix = coder_.number(prefix_, prefix);
    if (prefix > most) return false;
    suffix = coder_.number(suffix_, suffix);
    if (suffix > most - prefix) return false;
    if constexpr (Coder::kDecodes) {
      out.assign(source.begin(), source.begin() + prefix);
      out.resize(length);
      std::copy(source.end() - suffix, source.end(), out.end() - suffix);
    }
    std::byte previous = prefix > 0 ? source[prefix - 1] : std::byte{0};
    for (std::uint32_t i = prefix; i < length - suffix; ++i) {
      previous = character(previous, Coder::kDecodes ? std::byte{0} : target[i]);
      if constexpr (Coder::kDecodes) out[i] = previous;
    }
    if constexpr (Coder::kDecodes) {
      store32(object, length);
      std::copy(out.begin(), out.end(), object + 4);
      std::fill(object + 4 + length, object + room, std::byte{0});
    }
    return true;
  }
  // Which of `n` strings differ. For a Decoder `changed` is filled.
  bool texts(std::uint32_t n, std::vector<std::uint32_t>& changed) {
    const std::uint32_t n_changed = coder_.number(text_count_, static_cast<std::uint32_t>(changed.size()));
    if (n_changed > n) return false;
    changed.resize(n_changed);
    Gaps gaps;
    std::uint32_t row = 0;
    for (std::uint32_t i = 0; i < n_changed; ++i, ++row) {
      std::uint32_t gap = Coder::kDecodes ? 0 : changed[i] - row;
      if (!code_gap(gaps, n - row, n_changed - i, gap)) return false;
      changed[i] = row += gap;
    }
    return true;
  }
  std::byte character(std::byte previous, std::byte value) {
    const auto code = static_cast<std::uint32_t>(value);
    const std::uint32_t high = coder_.nibble(high_[static_cast<std::uint32_t>(previous) >> 4], code >> 4);
    return static_cast<std::byte>(high << 4 | coder_.nibble(low_[high], code & 15));
  }

 private:
  struct ColumnModel {
    std::array<Bit, 4> is_changed;
    std::array<std::uint32_t, 17> nibbles{};  // 1 + index in nibbles_; [0, 16): detail by size, [16]: size
  };

  // Columns that no baseline had share a model, so that memory does not grow with the target.
  static std::uint32_t fresh_column(const Type& type, std::uint32_t column) {
    if (type.kind == Kind::kTable) return std::min(column, kTailColumns + 15);
    return type.is_whole ? std::min(column, 15u) : column;
  }
  static std::uint32_t size_of(const Object& object) { return object.end - object.start; }
  static bool is_zero(BytesView bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
  }

  struct Gaps {
    Nibble near = kGapNibble;
    Number far;
  };
  // Rows to leave out before the next of `n_left` changed ones among the last `n_rows`. What an even spread would give
  // is known to both ends: the bits below it are not modelled.
  bool code_gap(Gaps& gaps, std::uint32_t n_rows, std::uint32_t n_left, std::uint32_t& gap) {
    const std::uint32_t most = n_rows - n_left;
    if (most == 0) return gap == 0;
    const auto raw_bits = static_cast<unsigned>(std::max(0, static_cast<int>(std::bit_width(n_rows / n_left)) - 3));
    std::uint32_t high = coder_.nibble(gaps.near, std::min(gap >> raw_bits, 15u));
    if (high == 15) high += coder_.number(gaps.far, (gap >> raw_bits) - 15);
    if (high > most >> raw_bits) return false;
    gap = high << raw_bits | coder_.raw(raw_bits, gap & ((1u << raw_bits) - 1));
    return gap <= most;
  }

  // The columns that occur, ascending, into columns_.
  bool code_columns(const std::vector<Change>& changes, const Type& type) {
    columns_.clear();
    if constexpr (!Coder::kDecodes) {
      for (const Change& change : changes) {
        const auto at = std::lower_bound(columns_.begin(), columns_.end(), change.column);
        if (at == columns_.end() || *at != change.column) columns_.insert(at, change.column);
      }
    }
    const std::uint32_t n = coder_.number(n_columns_, static_cast<std::uint32_t>(columns_.size()) - 1) + 1;
    // Each is of at least one byte.
    if (n > type.n_bytes) return false;
    columns_.resize(n);
    std::uint32_t next = 0;
    for (std::uint32_t& column : columns_) {
      const std::uint32_t gap = coder_.number(column_gap_, column - next);
      if (gap >= 0x40000 - next) return false;
      column = next + gap;
      next = column + 1;
    }
    models_.assign(n, ColumnModel{});
    return true;
  }

  // Where this row has which of columns_, ascending.
  void find_entries(const Type& type, const Object& object, std::uint32_t row) {
    entries_.clear();
    auto next = columns_.begin();
    for_each_entry(type, *rows_.shapes, object, row, [&](std::uint32_t column, Entry entry) {
      if (next != columns_.end() && *next < column) next = std::lower_bound(next, columns_.end(), column);
      if (next == columns_.end() || *next != column) return;
      entries_.emplace_back(static_cast<std::uint32_t>(next - columns_.begin()), entry);
    });
  }

  template <typename BeforeStore>
  bool code_row(std::uint32_t row, const std::vector<Change>& changes, std::size_t& at, BeforeStore before_store) {
    if (entries_.empty()) return false;
    bool was_changed = true, is_any = false;
    for (std::size_t k = 0; k < entries_.size(); ++k) {
      const auto [i, entry] = entries_[k];
      bool is_changed = true;
      std::int32_t delta = 0;
      if constexpr (!Coder::kDecodes) {
        is_changed = at < changes.size() && changes[at].row == row && changes[at].column == columns_[i];
        if (is_changed) delta = changes[at++].delta;
      }
      // A row without a change would not be told of.
      if (is_any || k + 1 < entries_.size())
        is_changed = coder_.bit(models_[i].is_changed[(was_changed ? 1u : 0u) + (is_any ? 2u : 0u)], is_changed);
      if (is_changed) change(models_[i], entry, delta, before_store);
      was_changed = is_changed;
      is_any = is_any || is_changed;
    }
    return true;
  }

  template <typename BeforeStore>
  void change(ColumnModel& model, Entry entry, std::int32_t delta, BeforeStore before_store) {
    delta = value(model, delta);
    if constexpr (Coder::kDecodes) {
      before_store(entry);
      store_entry(bytes_, entry, load_entry(bytes_, entry) + static_cast<std::uint32_t>(delta));
    }
  }

  // A column's models begin as those of all columns are when it needs them first.
  Nibble& inherit(std::uint32_t& index, const Nibble& parent) {
    if (index == 0) {
      nibbles_.push_back(parent);
      nibbles_.back().seen = std::min<std::uint8_t>(parent.seen, 1);
      index = static_cast<std::uint32_t>(nibbles_.size());
    }
    return nibbles_[index - 1];
  }

  // A delta that is not zero: its length in bits, sign and second bit by models, the rest as it is.
  std::int32_t value(ColumnModel& model, std::int32_t delta) {
    std::uint32_t magnitude = 0, high = 0, detail = 0;
    if constexpr (!Coder::kDecodes) {
      magnitude = delta < 0 ? 0u - static_cast<std::uint32_t>(delta) : static_cast<std::uint32_t>(delta);
      const auto length = static_cast<std::uint32_t>(std::bit_width(magnitude)) - 1;
      high = length >> 2;
      detail = (length & 3) << 1 | (delta < 0 ? 1u : 0u);
    }
    high = coder_.nibble(inherit(model.nibbles[16], all_sizes_), high);
    all_sizes_.learn(high);
    detail = coder_.nibble(inherit(model.nibbles[high], all_details_[high]), detail);
    all_details_[high].learn(detail);
    const std::uint32_t length = (high << 2 | detail >> 1) & 31;
    magnitude = 1u << length | coder_.raw(length, magnitude & ((1u << length) - 1));
    return static_cast<std::int32_t>((detail & 1) != 0 ? 0u - magnitude : magnitude);
  }

  Coder& coder_;
  const Rows& rows_;
  std::byte* bytes_;
  Number count_, rare_count_, text_count_, n_columns_, column_gap_;
  Nibble all_sizes_;
  std::array<Nibble, 16> all_details_;
  Bit is_raw_text_;
  Number length_step_, prefix_, suffix_;
  std::array<Nibble, 16> high_, low_;
  Bytes text_;
  // Of the type at hand.
  std::vector<std::uint32_t> columns_;
  std::vector<ColumnModel> models_;
  std::vector<Nibble> nibbles_;
  std::vector<std::pair<std::uint32_t, Entry>> entries_;
  std::unordered_map<std::uint64_t, ColumnModel> fresh_;
};

}  // namespace libsync::codec
