// contents.h: patches of both kinds as a whole, from a decoder of any make. Format: docs/WIRE_FORMAT.md section 3.5.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "codec/arrangement_coder.h"
#include "codec/codec.h"
#include "codec/residual.h"
#include "codec/text_coder.h"

namespace libsync::codec {

inline BytesView text_of(const std::byte* bytes, const Object& object) {
  const std::uint32_t size = object.end - object.start;
  if (size < 5) return {};
  return {bytes + object.start + 4, std::min(load32(bytes + object.start), size - 5)};
}

// Everything of a patch in place. `keep` is told of bytes before they change: (position, size). False: malformed.
template <typename Decoder, typename Keep>
bool decode_types(Context& context, Decoder& decoder, std::byte* bytes, Keep keep) {
  const Structure& structure = *context.structure;
  ResidualCoder<Decoder> residual(decoder, context.models, context.rows, structure.schema.get(), bytes);
  TextCoder<Decoder> text(decoder, context.models.texts);
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
      if (!text.text(source, static_cast<std::uint32_t>(source.size()), bytes + object.start,
                     object.end - object.start)) {
        return false;
      }
    }
  }
  return decoder.at_end();
}

// Takes motions from rows numbered in one way to rows numbered in another; kNone: that row is no more.
inline void renumber(std::vector<Motion>& motions, const std::vector<std::uint32_t>& rows) {
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
bool code_contents(Models& models, ResidualCoder<Coder>& residual, TextCoder<Coder>& text,
                   const Arrangement& arrangement, std::byte* bytes, const std::byte* prediction) {
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
        if (!text.text(arrangement.source_text(placed), placed.count, bytes + placed.start, placed.end - placed.start))
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
        if (!text.text(arrangement.source_text(placed), placed.count, bytes + placed.start, placed.end - placed.start))
          return false;
      } else {
        residual.fresh_object(t, {placed.start, placed.end, placed.shape}, prediction);
      }
    }
  }
  return true;
}

// Everything of a patch where objects moved. Fills `target`, which is zero. False: malformed.
template <typename Decoder>
bool decode_objects(Context& context, Decoder& decoder, BytesView baseline, Bytes& target) {
  const Structure& base = *context.structure;
  Arrangement arrangement(base, baseline, static_cast<std::uint32_t>(target.size()));
  ResidualCoder<Decoder> residual(decoder, context.models, context.rows, base.schema.get(), target.data());
  TextCoder<Decoder> text(decoder, context.models.texts);
  ArrangementCoder<Decoder> coder(decoder, context.models.arrangement, arrangement, target.data(), text);
  if (!coder.run(Wishes{})) return false;
  arrangement.finish();
  residual.use(&arrangement.schema());
  arrangement.predict(target.data());
  if (!coder.elements(target.data())) return false;
  if (!code_contents(context.models, residual, text, arrangement, target.data(), target.data())) return false;
  if (!decoder.at_end()) return false;
  context.structure = std::make_shared<const Structure>(arrangement.structure());
  return true;
}

}  // namespace libsync::codec
