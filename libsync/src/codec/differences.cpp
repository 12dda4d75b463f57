#include "codec/differences.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "codec/bytes_compare.h"

namespace libsync::codec {
namespace {

// Where two buffers of equal size differ within some ranges, ascending.
class DifferingBytes {
 public:
  DifferingBytes(BytesView a, BytesView b, std::span<const ByteRange> ranges) : a_(a), b_(b), ranges_(ranges) {}

  // The first at or after `from`, which never falls; kNone: there is none.
  std::uint32_t next(std::uint32_t from) {
    if (from >= end_) {
      block_ = from / 64 * 64;
      load();
    }
    if (from > block_ && from < end_) bits_ &= ~std::uint64_t{0} << (from - block_);
    if (bits_ == 0) {
      if (end_ == kNone) return kNone;
      block_ = end_;
      load();
      if (bits_ == 0) return kNone;
    }
    return block_ + static_cast<std::uint32_t>(std::countr_zero(bits_));
  }

 private:
  // The first block at or behind block_ that is in a range and differs.
  void load() {
    for (; range_ < ranges_.size(); ++range_) {
      const ByteRange& range = ranges_[range_];
      for (block_ = std::max(block_, range.begin / 64 * 64); block_ < range.end; block_ += 64) {
        bits_ = bits_at(block_);
        if (bits_ == 0) continue;
        end_ = block_ + 64;
        return;
      }
    }
    bits_ = 0;
    end_ = kNone;
  }
  std::uint64_t bits_at(std::uint32_t block) const {
    const std::size_t left = a_.size() - block;
    if (left >= 64) return differing_bytes(a_.data() + block, b_.data() + block);
    std::array<std::byte, 64> a{}, b{};
    std::memcpy(a.data(), a_.data() + block, left);
    std::memcpy(b.data(), b_.data() + block, left);
    return differing_bytes(a.data(), b.data());
  }

  BytesView a_, b_;
  std::span<const ByteRange> ranges_;
  std::size_t range_ = 0;
  std::uint32_t block_ = 0;
  std::uint32_t end_ = 0;  // of it; kNone behind the last
  std::uint64_t bits_ = 0;
};

// The changes of a table that is as large as its vtable says, from the one at `at` on, appended by column. Returns
// where the first difference behind it is.
std::uint32_t add_table_changes(const Shape& shape, const Object& object, std::uint32_t row, std::uint32_t at,
                                const std::byte* baseline, const std::byte* target, DifferingBytes& differing,
                                std::vector<Change>& changes) {
  const std::size_t first = changes.size();
  std::size_t next = 0;  // in by_offset
  while (at < object.end) {
    const std::uint32_t offset = at - object.start;
    // The last lane that begins at or before it.
    next = std::max<std::size_t>(next, shape.first_in_word[offset / 4]);
    next -=
        next > 0 && (next == shape.by_offset.size() || shape.lanes[shape.by_offset[next]].offset > offset) ? 1u : 0u;
    while (next + 1 < shape.by_offset.size() && shape.lanes[shape.by_offset[next + 1]].offset <= offset) ++next;
    const Lane& lane = shape.lanes[shape.by_offset[next]];
    const Entry entry{object.start + lane.offset, lane.width};
    const std::uint32_t from = load_entry(baseline, entry), to = load_entry(target, entry);
    if (from != to) changes.push_back({row, lane.column, cut(to - from, entry.width)});
    at = differing.next(std::max(at + 1, entry.position + entry.width));
  }
  if (changes.size() - first > 1) {
    std::sort(changes.begin() + static_cast<std::ptrdiff_t>(first), changes.end(),
              [](const Change& a, const Change& b) { return a.column < b.column; });
  }
  return at;
}

std::uint32_t row_at(const Type& type, const Object& object, std::uint32_t position) {
  if (type.has_one_row()) return 0;
  const std::uint32_t inside = position - object.start;
  if (!type.has_length()) return inside / 32;
  return inside < 4 ? 0 : 1 + (inside - 4) / type.row_bytes();
}

// Whether a change is of what holds the objects together.
bool is_structural(const Type& type, const std::vector<Change>& changes) {
  if (changes.empty() || type.kind == Kind::kText) return false;
  if (type.kind != Kind::kTable) return type.kind != Kind::kData;
  return std::any_of(changes.begin(), changes.end(), [](const Change& change) { return change.column == 0; });
}

// [starts] the first row of each.
std::vector<std::uint32_t> first_rows_of(const Structure& structure, const Type& type,
                                         std::span<const std::uint32_t> starts) {
  std::vector<std::uint32_t> rows;
  rows.reserve(starts.size());
  std::uint32_t n = 0;
  for (const std::uint32_t start : starts) {
    rows.push_back(n);
    n += type.rows_of(structure.starts.next(start) - start);
  }
  return rows;
}

// The rank of ever later objects among some of their type.
class Ranks {
 public:
  explicit Ranks(std::span<const std::uint32_t> starts) : starts_(starts) {}

  // kNone: it is none of them.
  std::uint32_t of(std::uint32_t start) {
    std::size_t step = 1;
    while (next_ + step < starts_.size() && starts_[next_ + step] <= start) step *= 2;
    const auto from = starts_.begin() + static_cast<std::ptrdiff_t>(next_);
    const auto to = starts_.begin() + static_cast<std::ptrdiff_t>(std::min(next_ + step, starts_.size()));
    next_ = static_cast<std::size_t>(std::lower_bound(from, to, start) - starts_.begin());
    return next_ < starts_.size() && starts_[next_] == start ? static_cast<std::uint32_t>(next_) : kNone;
  }

 private:
  std::span<const std::uint32_t> starts_;
  std::size_t next_ = 0;
};

// Whether tables seem to have become their neighbours: where all are of one size, one that is gone and one that is new
// leave every reference as it was. Some of the changed rows tell.
bool is_shifted(const Structure& structure, std::uint32_t type, const std::vector<Change>& changes,
                const std::byte* baseline, const std::byte* target) {
  constexpr std::size_t kSamples = 8, kFarthest = 8;
  const std::vector<std::uint32_t>& starts = structure.groups[type].starts;
  std::vector<std::uint32_t> rows;
  for (std::size_t i = 0; i < kSamples; ++i) rows.push_back(changes[(2 * i + 1) * changes.size() / (2 * kSamples)].row);
  const auto is_now = [&](std::uint32_t row, std::int64_t from) {
    if (from < 0 || from >= static_cast<std::int64_t>(starts.size())) return false;
    const std::uint32_t mine = starts[row], other = starts[static_cast<std::size_t>(from)];
    const std::uint32_t size = structure.starts.next(mine) - mine;
    return size > 4 && size == structure.starts.next(other) - other &&
           std::memcmp(target + mine + 4, baseline + other + 4, size - 4) == 0;
  };
  for (std::int64_t distance = 1; distance <= static_cast<std::int64_t>(kFarthest); ++distance) {
    for (const std::int64_t step : {distance, -distance}) {
      const auto n =
          std::count_if(rows.begin(), rows.end(), [&](std::uint32_t row) { return is_now(row, row + step); });
      if (2 * static_cast<std::size_t>(n) >= kSamples) return true;
    }
  }
  return false;
}

}  // namespace

std::vector<Differences::OfType> differences_within(const Structure& structure, std::span<const Rows> rows,
                                                    BytesView baseline, BytesView target,
                                                    std::span<const ByteRange> ranges) {
  const std::size_t n_types = structure.types().size();
  std::vector<Differences::OfType> all(n_types);
  std::vector<std::vector<std::uint32_t>> first_rows(n_types);
  std::vector<Ranks> ranks;
  for (const Rows& each : rows) ranks.emplace_back(each.starts);
  DifferingBytes differing(baseline, target, ranges);
  std::uint32_t at = differing.next(0);
  bool is_dense = false;
  while (at != kNone) {
    const Object object = structure.object(at);
    const std::uint32_t rank = ranks[object.type].of(object.start);
    if (rank == kNone) {
      at = differing.next(object.end);
      continue;
    }
    const Type& type = structure.types()[object.type];
    std::vector<Change>& changes = all[object.type].changes;
    if (type.kind == Kind::kText) {
      all[object.type].texts.push_back(rank);
      at = differing.next(object.end);
    } else if (type.kind == Kind::kTable && structure.shapes()[object.shape].table_size == object.size()) {
      const Shape& shape = structure.shapes()[object.shape];
      const std::size_t before = changes.size();
      if (is_dense) {
        add_changes(type, structure.shapes(), object, 0, rank, baseline.data(), target.data(), changes);
        at = differing.next(object.end);
      } else {
        at = add_table_changes(shape, object, rank, at, baseline.data(), target.data(), differing, changes);
      }
      // Where one has many changes the next mostly has too: then it is quicker to look at all its lanes.
      is_dense = 4 * (changes.size() - before) >= shape.lanes.size();
    } else {
      std::uint32_t row = rank, in_object = 0, end = object.end;
      if (!type.has_one_row()) {
        std::vector<std::uint32_t>& first = first_rows[object.type];
        if (first.empty()) first = first_rows_of(structure, type, rows[object.type].starts);
        in_object = row_at(type, object, at);
        row = first[rank] + in_object;
        end = row_range(type, object, in_object).end;
      }
      add_changes(type, structure.shapes(), object, in_object, row, baseline.data(), target.data(), changes);
      at = differing.next(end);
    }
  }
  return all;
}

Differences differences_of(const Structure& structure, BytesView baseline, BytesView target,
                           std::span<const ByteRange> ranges) {
  constexpr std::size_t kManyChanges = 32;
  std::vector<Rows> rows;
  for (const Group& group : structure.groups) rows.push_back(rows_of(group));
  Differences result;
  result.types = differences_within(structure, rows, baseline, target, ranges);
  for (std::uint32_t t = 0; t < result.types.size(); ++t) {
    const std::vector<Change>& changes = result.types[t].changes;
    result.moves = result.moves || is_structural(structure.types()[t], changes) ||
                   (structure.types()[t].kind == Kind::kTable && changes.size() >= kManyChanges &&
                    is_shifted(structure, t, changes, baseline.data(), target.data()));
  }
  return result;
}

}  // namespace libsync::codec
