#include "codec/codec.h"

#include <cstring>

#include "codec/arrangement_coder.h"
#include "codec/matcher.h"
#include "codec/residual.h"
#include "libsync/result.h"

namespace libsync::codec {
namespace {

// First position at or after `from` where the two differ, or their size.
std::uint32_t first_difference(const std::byte* a, const std::byte* b, std::uint32_t from, std::uint32_t size) {
  std::uint32_t at = from;
  while (size - at >= 1024 && std::memcmp(a + at, b + at, 1024) == 0) at += 1024;
  while (size - at >= 64 && std::memcmp(a + at, b + at, 64) == 0) at += 64;
  while (size - at >= 8) {
    std::uint64_t x = 0, y = 0;
    std::memcpy(&x, a + at, 8);
    std::memcpy(&y, b + at, 8);
    if (x != y) break;
    at += 8;
  }
  while (at < size && a[at] == b[at]) ++at;
  return at;
}

// The changes of one row, appended by column.
void add_changes(const Type& type, const std::vector<Shape>& shapes, const Object& object, std::uint32_t row_in_object,
                 std::uint32_t row, const std::byte* prediction, const std::byte* target,
                 std::vector<Change>& changes) {
  for_each_entry(type, shapes, object, row_in_object, [&](std::uint32_t column, Entry entry) {
    const std::uint32_t from = load_entry(prediction, entry), to = load_entry(target, entry);
    if (from != to) changes.push_back({row, column, cut(to - from, entry.width)});
  });
}

// First and end byte of a row.
std::pair<std::uint32_t, std::uint32_t> row_range(const Type& type, const Object& object, std::uint32_t row) {
  if (type.has_one_row()) return {object.start, object.end};
  if (!type.has_length()) return {object.start + 32 * row, std::min(object.end, object.start + 32 * (row + 1))};
  const std::uint32_t rows_begin = std::min(object.start + 4, object.end);
  if (row == 0) return {object.start, rows_begin};
  const std::uint32_t begin = rows_begin + (row - 1) * type.row_bytes();
  return {begin, std::min(object.end, begin + type.row_bytes())};
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

BytesView text_of(const std::byte* bytes, const Object& object) {
  const std::uint32_t size = object.end - object.start;
  if (size < 5) return {};
  return {bytes + object.start + 4, std::min(load32(bytes + object.start), size - 5)};
}

}  // namespace

void Undo::keep(const std::byte* from, std::uint32_t position, std::uint32_t size) {
  pieces.push_back({position, size, bytes.size()});
  bytes.insert(bytes.end(), from + position, from + position + size);
}

void Undo::restore(std::byte* to) const {
  for (std::size_t i = pieces.size(); i-- > 0;)
    std::memcpy(to + pieces[i].position, bytes.data() + pieces[i].kept, pieces[i].size);
}

Differences differences_of(const Structure& structure, BytesView baseline, BytesView target) {
  Differences result;
  std::vector<Differences::OfType>& all = result.types;
  const std::uint32_t size = structure.size_bytes;
  const std::size_t n_types = structure.types().size();
  all.resize(n_types);
  std::vector<std::vector<std::uint32_t>> first_rows(n_types);
  std::uint32_t at = first_difference(baseline.data(), target.data(), 0, size);
  while (at < size) {
    const std::uint32_t index = structure.object_at(at);
    const ObjectId id = structure.objects[index];
    const Type& type = structure.types()[id.type];
    const std::vector<Object>& objects = structure.groups[id.type].objects;
    const Object& object = objects[id.rank];
    std::uint32_t end = object.end;
    if (type.kind == Kind::kText) {
      all[id.type].texts.push_back(id.rank);
    } else {
      std::uint32_t row = id.rank, in_object = 0;
      if (!type.has_one_row()) {
        std::vector<std::uint32_t>& rows = first_rows[id.type];
        if (rows.empty()) {
          std::uint32_t n = 0;
          for (const Object& each : objects) {
            rows.push_back(n);
            n += type.rows_of(each.end - each.start);
          }
        }
        in_object = row_at(type, object, at);
        row = rows[id.rank] + in_object;
        end = row_range(type, object, in_object).second;
      }
      add_changes(type, structure.shapes(), object, in_object, row, baseline.data(), target.data(),
                  all[id.type].changes);
    }
    at = first_difference(baseline.data(), target.data(), end, size);
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
  Encoder encoder;
  auto* bytes = const_cast<std::byte*>(target.data());
  ResidualCoder<Encoder> residual(encoder, context.models, structure.schema.get(), bytes);
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

bool decode_in_place(Context& context, BytesView patch, std::byte* bytes, Undo& undo) {
  const Structure& structure = *context.structure;
  Decoder decoder(patch);
  ResidualCoder<Decoder> residual(decoder, context.models, structure.schema.get(), bytes);
  std::vector<std::uint32_t> changed;
  const auto keep = [&](Entry entry) { undo.keep(bytes, entry.position, entry.width); };
  for (std::uint32_t t = 0; t < structure.types().size(); ++t) {
    const Group& group = structure.groups[t];
    if (structure.types()[t].kind != Kind::kText) {
      if (!residual.rows(t, group, {}, keep)) return false;
      continue;
    }
    changed.clear();
    if (!residual.texts(t, static_cast<std::uint32_t>(group.objects.size()), changed)) return false;
    for (const std::uint32_t rank : changed) {
      const Object& object = group.objects[rank];
      undo.keep(bytes, object.start, object.end - object.start);
      const BytesView source = text_of(bytes, object);
      if (!residual.text(source, static_cast<std::uint32_t>(source.size()), bytes + object.start,
                         object.end - object.start)) {
        return false;
      }
    }
  }
  return decoder.at_end();
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
    const Group& known = arrangement.known[t];
    const std::vector<std::uint32_t>& known_index = arrangement.known_index[t];
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
      if (!motions.empty() && n_known != arrangement.members[t].size()) {
        renumbered.clear();
        for (std::uint32_t i = 0, member = 0; i < n_known; ++i, ++member) {
          while (arrangement.members[t][member] != known_index[i]) ++member;
          renumbered.push_back(member);
        }
        renumber(motions, renumbered);
      }
    }
    for (const std::uint32_t i : arrangement.members[t]) {
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

bool encode_moved(Context& context, BytesView baseline, const Structure& target_structure, BytesView target,
                  Bytes& out) {
  const Structure& base = *context.structure;
  std::vector<Wish> wishes = match(base, baseline, target_structure, target);
  Encoder encoder;
  Arrangement arrangement(base, baseline, static_cast<std::uint32_t>(target.size()));
  auto* bytes = const_cast<std::byte*>(target.data());
  ResidualCoder<Encoder> residual(encoder, context.models, base.schema.get(), bytes);
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
  ResidualCoder<Decoder> residual(decoder, context.models, base.schema.get(), target.data());
  ArrangementCoder<Decoder> coder(decoder, context.models.arrangement, arrangement, target.data(), residual);
  std::vector<Wish> none;
  if (!coder.run(none)) return false;
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
