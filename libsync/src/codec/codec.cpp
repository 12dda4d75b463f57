#include "codec/codec.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstring>

#include "codec/arrangement_coder.h"
#include "codec/matcher.h"
#include "codec/residual.h"
#include "libsync/result.h"

namespace libsync::codec {
namespace {

// Of 64 bytes: a bit for each that differs.
std::uint64_t differing_bytes(const std::byte* a, const std::byte* b) {
  std::uint64_t bits = 0;
#if defined(__SSE2__)
  const auto* left = reinterpret_cast<const __m128i*>(a);
  const auto* right = reinterpret_cast<const __m128i*>(b);
  for (int i = 0; i < 4; ++i) {
    const __m128i equal = _mm_cmpeq_epi8(_mm_loadu_si128(left + i), _mm_loadu_si128(right + i));
    bits |= std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(equal))} << (16 * i);
  }
  return ~bits;
#else
  if (std::memcmp(a, b, 64) == 0) return 0;
  for (std::uint32_t i = 0; i < 64; ++i) bits |= std::uint64_t{a[i] != b[i]} << i;
  return bits;
#endif
}

// Where two buffers of equal size differ within some ranges, ascending.
class DifferingBytes {
 public:
  DifferingBytes(BytesView a, BytesView b, std::span<const Range> ranges) : a_(a), b_(b), ranges_(ranges) {}

  // The first at or after `from`, which never falls; kNone: there is none.
  std::uint32_t next(std::uint32_t from) {
    if (from >= end_) {
      block_ = from / 64 * 64;
      load();
    }
    if (from > block_ && from < end_) bits_ &= ~std::uint64_t{0} << (from - block_);
    while (bits_ == 0) {
      if (end_ == kNone) return kNone;
      block_ = end_;
      load();
      if (from > block_ && from < end_) bits_ &= ~std::uint64_t{0} << (from - block_);
    }
    return block_ + static_cast<std::uint32_t>(std::countr_zero(bits_));
  }

 private:
  // The first block at or behind block_ that is in a range.
  void load() {
    while (range_ < ranges_.size() && ranges_[range_].end <= block_) ++range_;
    bits_ = 0;
    end_ = kNone;
    if (range_ == ranges_.size()) return;
    block_ = std::max(block_, ranges_[range_].begin / 64 * 64);
    end_ = block_ + 64;
    const std::size_t left = a_.size() - block_;
    if (left >= 64) {
      bits_ = differing_bytes(a_.data() + block_, b_.data() + block_);
      return;
    }
    std::array<std::byte, 64> a{}, b{};
    std::memcpy(a.data(), a_.data() + block_, left);
    std::memcpy(b.data(), b_.data() + block_, left);
    bits_ = differing_bytes(a.data(), b.data());
  }

  BytesView a_, b_;
  std::span<const Range> ranges_;
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

// The changes of one row, appended by column.
void add_changes(const Type& type, const std::vector<Shape>& shapes, const Object& object, std::uint32_t row_in_object,
                 std::uint32_t row, const std::byte* prediction, const std::byte* target,
                 std::vector<Change>& changes) {
  const auto add = [&](std::uint32_t column, Entry entry) {
    const std::uint32_t from = load_entry(prediction, entry), to = load_entry(target, entry);
    if (from != to) changes.push_back({row, column, cut(to - from, entry.width)});
  };
  if (type.kind == Kind::kTable && shapes[object.shape].table_size == object.end - object.start) {
    for (const Lane& lane : shapes[object.shape].lanes) add(lane.column, {object.start + lane.offset, lane.width});
  } else {
    for_each_entry(type, shapes, object, row_in_object, add);
  }
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

// [objects] the first row of each, in the type.
std::vector<std::uint32_t> first_rows_of(const Type& type, const std::vector<Object>& objects) {
  std::vector<std::uint32_t> rows;
  rows.reserve(objects.size());
  std::uint32_t n = 0;
  for (const Object& object : objects) {
    rows.push_back(n);
    n += type.rows_of(object.end - object.start);
  }
  return rows;
}

BytesView text_of(const std::byte* bytes, const Object& object) {
  const std::uint32_t size = object.end - object.start;
  if (size < 5) return {};
  return {bytes + object.start + 4, std::min(load32(bytes + object.start), size - 5)};
}

}  // namespace

void Undo::keep(const std::byte* from, std::uint32_t position, std::uint32_t size) {
  Piece piece{position, size, bytes.size()};
  if (size <= sizeof piece.kept) {
    std::memcpy(&piece.kept, from + position, size);
  } else {
    bytes.insert(bytes.end(), from + position, from + position + size);
  }
  pieces.push_back(piece);
}

void Undo::restore(std::byte* to) const {
  for (std::size_t i = pieces.size(); i-- > 0;) {
    const Piece& piece = pieces[i];
    const void* from =
        piece.size <= sizeof piece.kept ? static_cast<const void*>(&piece.kept) : bytes.data() + piece.kept;
    std::memcpy(to + piece.position, from, piece.size);
  }
}

Differences differences_of(const Structure& structure, BytesView baseline, BytesView target,
                           std::span<const Range> ranges) {
  Differences result;
  std::vector<Differences::OfType>& all = result.types;
  const std::size_t n_types = structure.types().size();
  all.resize(n_types);
  std::vector<std::vector<std::uint32_t>> first_rows(n_types);
  DifferingBytes differing(baseline, target, ranges);
  std::uint32_t at = differing.next(0);
  while (at != kNone) {
    const RankedObject& object = structure.objects[structure.object_at(at)];
    const Type& type = structure.types()[object.type];
    std::vector<Change>& changes = all[object.type].changes;
    if (type.kind == Kind::kText) {
      all[object.type].texts.push_back(object.rank);
      at = differing.next(object.end);
    } else if (type.kind == Kind::kTable && structure.shapes()[object.shape].table_size == object.end - object.start) {
      at = add_table_changes(structure.shapes()[object.shape], object, object.rank, at, baseline.data(), target.data(),
                             differing, changes);
    } else {
      std::uint32_t row = object.rank, in_object = 0, end = object.end;
      if (!type.has_one_row()) {
        std::vector<std::uint32_t>& rows = first_rows[object.type];
        if (rows.empty()) rows = first_rows_of(type, structure.groups[object.type].objects);
        in_object = row_at(type, object, at);
        row = rows[object.rank] + in_object;
        end = row_range(type, object, in_object).end;
      }
      add_changes(type, structure.shapes(), object, in_object, row, baseline.data(), target.data(), changes);
      at = differing.next(end);
    }
  }
  for (std::uint32_t t = 0; t < n_types; ++t) {
    result.moves = result.moves || is_structural(structure.types()[t], all[t].changes);
  }
  return result;
}

bool encode_in_place(Context& context, BytesView baseline, BytesView target, const Differences& differences,
                     Bytes& out) {
  const Structure& structure = *context.structure;
  const std::vector<Differences::OfType>& all = differences.types;
  Encoder encoder(context.encoder);
  auto* bytes = const_cast<std::byte*>(target.data());
  ResidualCoder<Encoder> residual(encoder, context.models, context.rows, structure.schema.get(), bytes);
  for (std::uint32_t t = 0; t < all.size(); ++t) {
    const Group& group = structure.groups[t];
    if (structure.types()[t].kind != Kind::kText) {
      if (!residual.rows(t, group, all[t].changes, [](Entry) {})) return false;
      continue;
    }
    std::vector<std::uint32_t> texts = all[t].texts;
    residual.texts(t, static_cast<std::uint32_t>(group.objects.size()), texts);
    for (const std::uint32_t rank : all[t].texts) {
      const Object& object = group.objects[rank];
      const BytesView source = text_of(baseline.data(), object);
      residual.text(source, static_cast<std::uint32_t>(source.size()), bytes + object.start, object.end - object.start);
    }
  }
  encoder.finish(out);
  return true;
}

namespace {

template <typename Keep>
bool decode_types(Context& context, Decoder& decoder, std::byte* bytes, Keep keep) {
  const Structure& structure = *context.structure;
  ResidualCoder<Decoder> residual(decoder, context.models, context.rows, structure.schema.get(), bytes);
  std::vector<std::uint32_t> changed;
  const auto keep_entry = [&](Entry entry) { keep(entry.position, entry.width); };
  for (std::uint32_t t = 0; t < structure.types().size(); ++t) {
    const Group& group = structure.groups[t];
    if (structure.types()[t].kind != Kind::kText) {
      if (!residual.rows(t, group, {}, keep_entry)) return false;
      continue;
    }
    changed.clear();
    if (!residual.texts(t, static_cast<std::uint32_t>(group.objects.size()), changed)) return false;
    for (const std::uint32_t rank : changed) {
      const Object& object = group.objects[rank];
      keep(object.start, object.end - object.start);
      const BytesView source = text_of(bytes, object);
      if (!residual.text(source, static_cast<std::uint32_t>(source.size()), bytes + object.start,
                         object.end - object.start)) {
        return false;
      }
    }
  }
  return decoder.at_end();
}

}  // namespace

bool decode_in_place(Context& context, BytesView patch, std::byte* bytes, Undo* undo) {
  Decoder decoder(patch);
  if (undo == nullptr) return decode_types(context, decoder, bytes, [](std::uint32_t, std::uint32_t) {});
  return decode_types(context, decoder, bytes,
                      [&](std::uint32_t position, std::uint32_t size) { undo->keep(bytes, position, size); });
}

namespace {

// Takes motions from rows numbered in one way to rows numbered in another; kNone: that row is no more.
void renumber(std::vector<Motion>& motions, const std::vector<std::uint32_t>& rows) {
  std::size_t n = 0;
  bool is_sorted = true;
  for (Motion motion : motions) {
    motion.row = rows[motion.row];
    if (motion.row == kNone) continue;
    is_sorted = is_sorted && (n == 0 || motions[n - 1].row <= motion.row);
    motions[n++] = motion;
  }
  motions.resize(n);
  const auto is_before = [](const Motion& a, const Motion& b) { return a.row < b.row; };
  if (!is_sorted) std::stable_sort(motions.begin(), motions.end(), is_before);
}

// Everything after the arrangement, in both directions. `bytes`: the prediction, which becomes the target (Decoder);
// the target (Encoder, which has the prediction beside it).
template <typename Coder>
bool code_contents(Models& models, ResidualCoder<Coder>& residual, const Arrangement& arrangement, std::byte* bytes,
                   const std::byte* prediction) {
  std::vector<std::uint32_t> renumbered;
  for (std::uint32_t t = 0; t < arrangement.types().size(); ++t) {
    const Type& type = arrangement.types()[t];
    const Group& known = arrangement.known(t);
    const std::span<const std::uint32_t> known_index = arrangement.known_members(t);
    const auto n_known = static_cast<std::uint32_t>(known.objects.size());
    if (type.kind == Kind::kText) {
      std::vector<std::uint32_t> changed;
      if constexpr (!Coder::kDecodes) {
        for (std::uint32_t i = 0; i < n_known; ++i) {
          const Object& object = known.objects[i];
          if (std::memcmp(bytes + object.start, prediction + object.start, object.end - object.start) != 0)
            changed.push_back(i);
        }
      }
      if (!residual.texts(t, n_known, changed)) return false;
      for (const std::uint32_t i : changed) {
        const Placed& placed = arrangement.placed[known_index[i]];
        if (!residual.text(arrangement.source_text(placed), placed.count, bytes + placed.start,
                           placed.end - placed.start))
          return false;
      }
    } else {
      std::vector<Change> changes;
      if constexpr (!Coder::kDecodes) {
        std::uint32_t first_row = 0;
        for (const Object& object : known.objects) {
          const std::uint32_t size = object.end - object.start, n = type.rows_of(size);
          if (std::memcmp(bytes + object.start, prediction + object.start, size) != 0) {
            for (std::uint32_t row = 0; row < n; ++row) {
              add_changes(type, arrangement.shapes(), object, row, first_row + row, prediction, bytes, changes);
            }
          }
          first_row += n;
        }
      }
      std::vector<Motion>& motions = models.types[t].motions;
      if (!type.has_one_row()) motions.clear();
      if (!motions.empty()) {
        renumbered.assign(arrangement.base.groups[t].objects.size(), kNone);
        for (std::uint32_t i = 0; i < n_known; ++i) {
          renumbered[arrangement.base.objects[arrangement.placed[known_index[i]].source].rank] = i;
        }
        renumber(motions, renumbered);
      }
      if (!residual.rows(t, known, changes, [](Entry) {})) return false;
      if (!type.has_one_row()) motions.clear();
      if (!motions.empty() && n_known != arrangement.members(t).size()) {
        renumbered.clear();
        for (std::uint32_t i = 0, member = 0; i < n_known; ++i, ++member) {
          while (arrangement.members(t)[member] != known_index[i]) ++member;
          renumbered.push_back(member);
        }
        renumber(motions, renumbered);
      }
    }
    if (n_known == arrangement.members(t).size()) continue;
    for (const std::uint32_t i : arrangement.members(t)) {
      const Placed& placed = arrangement.placed[i];
      if (!placed.is_fresh) continue;
      if (type.kind == Kind::kText) {
        if (!residual.text(arrangement.source_text(placed), placed.count, bytes + placed.start,
                           placed.end - placed.start))
          return false;
      } else {
        residual.fresh_object(t, {placed.start, placed.end, placed.shape}, prediction);
      }
    }
  }
  return true;
}

}  // namespace

bool encode_moved(Context& context, BytesView baseline, const Structure& target_structure, bool is_followed,
                  BytesView target, Bytes& out) {
  const Structure& base = *context.structure;
  Encoder encoder(context.encoder);
  Arrangement arrangement(base, baseline, static_cast<std::uint32_t>(target.size()));
  const Wishes wishes = match(base, baseline, target_structure, target, is_followed, arrangement);
  auto* bytes = const_cast<std::byte*>(target.data());
  ResidualCoder<Encoder> residual(encoder, context.models, context.rows, base.schema.get(), bytes);
  ArrangementCoder<Encoder> coder(encoder, context.models.arrangement, arrangement, bytes, residual);
  if (!coder.run(wishes)) return false;
  arrangement.finish();
  residual.use(&arrangement.schema());
  Bytes prediction(target.size());
  arrangement.predict(prediction.data());
  if (!coder.elements(prediction.data())) return false;
  for (const Placed& object : arrangement.placed) {
    if (object.source == kNone)
      std::memcpy(prediction.data() + object.start, bytes + object.start, object.end - object.start);
  }
  if (!code_contents(context.models, residual, arrangement, bytes, prediction.data())) return false;
  encoder.finish(out);
  context.structure = std::make_shared<const Structure>(arrangement.structure());
  return true;
}

bool decode_moved(Context& context, BytesView baseline, BytesView patch, Bytes& target) {
  Decoder decoder(patch);
  const Structure& base = *context.structure;
  Arrangement arrangement(base, baseline, static_cast<std::uint32_t>(target.size()));
  ResidualCoder<Decoder> residual(decoder, context.models, context.rows, base.schema.get(), target.data());
  ArrangementCoder<Decoder> coder(decoder, context.models.arrangement, arrangement, target.data(), residual);
  if (!coder.run(Wishes{})) return false;
  arrangement.finish();
  residual.use(&arrangement.schema());
  arrangement.predict(target.data());
  if (!coder.elements(target.data())) return false;
  if (!code_contents(context.models, residual, arrangement, target.data(), target.data())) return false;
  if (!decoder.at_end()) return false;
  context.structure = std::make_shared<const Structure>(arrangement.structure());
  return true;
}

}  // namespace libsync::codec
