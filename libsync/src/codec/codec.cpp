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
    if (from != to) changes.push_back({row, column, entry, delta_of(from, to, entry.width)});
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

struct TypeChanges {
  std::vector<Change> changes;
  std::vector<std::uint32_t> texts;  // ranks
};

// Whether a change is of what holds the objects together.
bool is_structural(const Structure& structure, std::uint32_t type_index, const std::vector<Change>& changes) {
  const Type& type = structure.types[type_index];
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

bool encode_in_place(const Structure& structure, BytesView baseline, BytesView target, Bytes& out, bool& moves) {
  const std::uint32_t size = structure.size_bytes;
  std::vector<TypeChanges> all(structure.types.size());
  std::vector<std::vector<std::uint32_t>> first_rows(structure.types.size());
  std::uint32_t at = first_difference(baseline.data(), target.data(), 0, size);
  while (at < size) {
    const std::uint32_t index = structure.object_at(at);
    const ObjectId id = structure.objects[index];
    const Type& type = structure.types[id.type];
    const Object& object = type.objects[id.rank];
    std::uint32_t end = object.end;
    if (type.kind == Kind::kText) {
      all[id.type].texts.push_back(id.rank);
    } else {
      std::uint32_t row = id.rank, in_object = 0;
      if (!type.has_one_row()) {
        std::vector<std::uint32_t>& rows = first_rows[id.type];
        if (rows.empty()) {
          std::uint32_t n = 0;
          for (const Object& each : type.objects) {
            rows.push_back(n);
            n += type.rows_of(each.end - each.start);
          }
        }
        in_object = row_at(type, object, at);
        row = rows[id.rank] + in_object;
        end = row_range(type, object, in_object).second;
      }
      add_changes(type, structure.shapes, object, in_object, row, baseline.data(), target.data(), all[id.type].changes);
    }
    at = first_difference(baseline.data(), target.data(), end, size);
  }

  Encoder encoder;
  Rows rows;
  rows.types = &structure.types;
  rows.shapes = &structure.shapes;
  ResidualCoder<Encoder> residual(encoder, rows, const_cast<std::byte*>(target.data()));
  for (std::uint32_t t = 0; t < structure.types.size(); ++t) {
    const Type& type = structure.types[t];
    if (type.kind != Kind::kText) {
      if (!residual.rows(t, all[t].changes, [](Entry) {})) return false;
      continue;
    }
    residual.texts(static_cast<std::uint32_t>(type.objects.size()), all[t].texts);
    for (const std::uint32_t rank : all[t].texts) {
      const Object& object = type.objects[rank];
      const BytesView source = text_of(baseline.data(), object);
      residual.text(source, static_cast<std::uint32_t>(source.size()),
                    const_cast<std::byte*>(target.data()) + object.start, object.end - object.start);
    }
  }
  encoder.finish(out);
  moves = false;
  for (std::uint32_t t = 0; t < structure.types.size(); ++t) {
    moves = moves || is_structural(structure, t, all[t].changes);
  }
  return true;
}

bool decode_in_place(const Structure& structure, BytesView patch, std::byte* bytes, Undo& undo) {
  Decoder decoder(patch);
  Rows rows;
  rows.types = &structure.types;
  rows.shapes = &structure.shapes;
  ResidualCoder<Decoder> residual(decoder, rows, bytes);
  std::vector<std::uint32_t> changed;
  const auto keep = [&](Entry entry) { undo.keep(bytes, entry.position, entry.width); };
  for (std::uint32_t t = 0; t < structure.types.size(); ++t) {
    const Type& type = structure.types[t];
    if (type.kind != Kind::kText) {
      if (!residual.rows(t, {}, keep)) return false;
      continue;
    }
    changed.clear();
    if (!residual.texts(static_cast<std::uint32_t>(type.objects.size()), changed)) return false;
    for (const std::uint32_t rank : changed) {
      const Object& object = type.objects[rank];
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

// Everything after the arrangement, in both directions. `bytes`: the prediction, which becomes the target (Decoder);
// the target (Encoder, which has the prediction beside it).
template <typename Coder>
bool code_contents(Coder&, ResidualCoder<Coder>& residual, const Arrangement& arrangement, const Rows& rows,
                   std::byte* bytes, const std::byte* prediction) {
  for (std::uint32_t t = 0; t < arrangement.types.size(); ++t) {
    const Type& type = arrangement.types[t];
    const std::vector<Object>& known = rows.of(t);
    if (type.kind == Kind::kText) {
      std::vector<std::uint32_t> changed;
      if constexpr (!Coder::kDecodes) {
        for (std::uint32_t i = 0; i < known.size(); ++i) {
          const Object& object = known[i];
          if (std::memcmp(bytes + object.start, prediction + object.start, object.end - object.start) != 0)
            changed.push_back(i);
        }
      }
      if (!residual.texts(static_cast<std::uint32_t>(known.size()), changed)) return false;
      for (const std::uint32_t i : changed) {
        const Placed& placed = arrangement.placed[arrangement.known_index[t][i]];
        if (!residual.text(arrangement.source_text(placed), placed.count, bytes + placed.start,
                           placed.end - placed.start))
          return false;
      }
    } else {
      std::vector<Change> changes;
      if constexpr (!Coder::kDecodes) {
        std::uint32_t first_row = 0;
        for (const Object& object : known) {
          const std::uint32_t size = object.end - object.start, n = type.rows_of(size);
          if (std::memcmp(bytes + object.start, prediction + object.start, size) != 0) {
            for (std::uint32_t row = 0; row < n; ++row) {
              add_changes(type, arrangement.shapes, object, row, first_row + row, prediction, bytes, changes);
            }
          }
          first_row += n;
        }
      }
      if (!residual.rows(t, changes, [](Entry) {})) return false;
    }
    for (const std::uint32_t i : arrangement.members[t]) {
      const Placed& placed = arrangement.placed[i];
      if (!placed.is_fresh) continue;
      if (type.kind == Kind::kText) {
        if (!residual.text(arrangement.source_text(placed), placed.count, bytes + placed.start,
                           placed.end - placed.start))
          return false;
      } else {
        residual.fresh_object(t, {placed.start, placed.end, placed.shape}, prediction, [](Entry) {});
      }
    }
  }
  return true;
}

}  // namespace

bool encode_moved(const Structure& base, BytesView baseline, const Structure& target_structure, BytesView target,
                  Bytes& out) {
  std::vector<Wish> wishes = match(base, baseline, target_structure, target);
  Encoder encoder;
  Arrangement arrangement(base, baseline, static_cast<std::uint32_t>(target.size()));
  Rows rows;
  rows.types = &arrangement.types;
  rows.shapes = &arrangement.shapes;
  rows.objects = &arrangement.known;
  auto* bytes = const_cast<std::byte*>(target.data());
  ResidualCoder<Encoder> residual(encoder, rows, bytes);
  ArrangementCoder<Encoder> coder(encoder, arrangement, bytes, residual);
  if (!coder.run(wishes)) return false;
  arrangement.finish();
  Bytes prediction(target.size());
  arrangement.predict(prediction.data());
  if (!coder.elements(prediction.data())) return false;
  for (const Placed& object : arrangement.placed) {
    if (object.source == kNone)
      std::memcpy(prediction.data() + object.start, bytes + object.start, object.end - object.start);
  }
  if (!code_contents(encoder, residual, arrangement, rows, bytes, prediction.data())) return false;
  encoder.finish(out);
  return true;
}

bool decode_moved(const Structure& base, BytesView baseline, BytesView patch, Bytes& target) {
  Decoder decoder(patch);
  Arrangement arrangement(base, baseline, static_cast<std::uint32_t>(target.size()));
  Rows rows;
  rows.types = &arrangement.types;
  rows.shapes = &arrangement.shapes;
  rows.objects = &arrangement.known;
  ResidualCoder<Decoder> residual(decoder, rows, target.data());
  ArrangementCoder<Decoder> coder(decoder, arrangement, target.data(), residual);
  std::vector<Wish> none;
  if (!coder.run(none)) return false;
  arrangement.finish();
  arrangement.predict(target.data());
  if (!coder.elements(target.data())) return false;
  if (!code_contents(decoder, residual, arrangement, rows, target.data(), target.data())) return false;
  return decoder.at_end();
}

}  // namespace libsync::codec
