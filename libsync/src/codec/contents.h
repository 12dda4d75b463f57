// contents.h: patches of both kinds as a whole, from a decoder of any make. Format: docs/WIRE_FORMAT.md section 3.5.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "codec/arrangement_coder.h"
#include "codec/codec.h"
#include "codec/element_coder.h"
#include "codec/layout.h"
#include "codec/residual.h"
#include "codec/text_coder.h"

namespace libsync::codec {

inline BytesView text_of(const std::byte* bytes, const Object& object) {
  if (object.size() < 5) return {};
  return {bytes + object.start + 4, std::min(load32(bytes + object.start), object.size() - 5)};
}

// Everything of a patch in place. `keep` is told of bytes before they change: (position, size). False: malformed.
template <typename Decoder, typename Keep>
bool decode_types(Context& context, Decoder& decoder, std::byte* bytes, Keep keep) {
  const Structure& structure = *context.structure;
  context.rows.shapes.use(context.structure);
  ResidualCoder<Decoder> residual(decoder, context.models, context.rows, structure, bytes);
  TextCoder<Decoder> text(decoder, context.models.texts);
  std::vector<std::uint32_t> changed;
  const auto keep_entry = [&](Entry entry) { keep(entry.position, entry.width); };
  for (std::uint32_t t = 0; t < structure.types().size(); ++t) {
    const Group& group = structure.groups[t];
    if (structure.types()[t].kind != Kind::kText) {
      if (!residual.rows(t, rows_of(group), {}, keep_entry)) return false;
      continue;
    }
    changed.clear();
    if (!residual.texts(t, static_cast<std::uint32_t>(group.starts.size()), changed)) return false;
    for (const std::uint32_t rank : changed) {
      const Object object = structure.object(group.starts[rank]);
      keep(object.start, object.size());
      const BytesView source = text_of(bytes, object);
      if (!text.text(source, static_cast<std::uint32_t>(source.size()), bytes + object.start, object.size()))
        return false;
    }
  }
  return decoder.at_end();
}

// Everything after the arrangement, in both directions. `bytes`: the prediction, which becomes the target (Decoder);
// the target (Encoder, which has the prediction beside it, and where it is wrong).
template <typename Coder>
bool code_contents(Models& models, ResidualCoder<Coder>& residual, TextCoder<Coder>& text, const Layout& layout,
                   const Arrangement& arrangement, std::byte* bytes, const std::byte* prediction,
                   std::vector<Differences::OfType> differences) {
  const Structure& target = layout.structure();
  const auto code_text = [&](const Placed& placed) {
    return text.text(arrangement.old_text(arrangement.base.object(placed.source)), placed.count, bytes + placed.start,
                     placed.size());
  };
  differences.resize(target.types().size());
  for (std::uint32_t t = 0; t < target.types().size(); ++t) {
    const Type& type = target.types()[t];
    const Rows known = layout.known(t);
    if (type.kind == Kind::kText) {
      std::vector<std::uint32_t>& changed = differences[t].texts;
      if (!residual.texts(t, known.n, changed)) return false;
      for (const std::uint32_t rank : changed) {
        if (!code_text(layout.known_object(known.starts[rank]))) return false;
      }
      for (const Placed& fresh : layout.fresh(t)) {
        if (!code_text(fresh)) return false;
      }
      continue;
    }
    std::vector<Motion>& motions = models.types[t].motions;
    if (!type.has_one_row()) motions.clear();
    if (!motions.empty()) layout.take_to_known(t, motions);
    if (!residual.rows(t, known, differences[t].changes, [](Entry) {})) return false;
    if (!type.has_one_row()) motions.clear();
    if (!motions.empty() && !layout.are_all_known(t)) layout.take_to_all(t, motions);
    for (const Placed& fresh : layout.fresh(t))
      residual.fresh_object({fresh.start, fresh.end, t, fresh.shape}, prediction);
  }
  return true;
}

// Everything of a patch where objects moved. Fills `target`. False: malformed.
template <typename Decoder>
bool decode_objects(Context& context, Decoder& decoder, BytesView baseline, Bytes& target) {
  context.rows.shapes.use(nullptr);
  Arrangement arrangement(*context.structure, baseline, static_cast<std::uint32_t>(target.size()));
  TextCoder<Decoder> text(decoder, context.models.texts);
  ArrangementCoder<Decoder> coder(decoder, context.models.arrangement, arrangement, target.data(), text);
  if (!coder.run(Wishes{})) return false;
  Layout layout(arrangement);
  layout.predict(target.data());
  ElementCoder<Decoder> elements(decoder, context.models.arrangement, arrangement.base, baseline, layout, nullptr,
                                 target.data());
  if (!elements.run()) return false;
  ResidualCoder<Decoder> residual(decoder, context.models, context.rows, layout.structure(), target.data());
  if (!code_contents(context.models, residual, text, layout, arrangement, target.data(), target.data(), {}))
    return false;
  if (!decoder.at_end()) return false;
  context.structure = std::make_shared<const Structure>(layout.release_structure());
  return true;
}

// The bytes of an excerpt.
template <typename Coder>
void code_excerpt(Coder& coder, Bytes& excerpt) {
  coder.begin(Part::kExcerpt);
  TextModels models;
  TextCoder<Coder> characters(coder, models);
  std::byte previous{0};
  for (std::byte& byte : excerpt) previous = byte = characters.character(previous, byte);
}

// Everything of a patch from nothing. `context`: whatever it was, it is then at the target. False: malformed.
template <typename Decoder>
bool decode_whole(Context& context, Decoder& decoder, std::size_t excerpt_size, Bytes& target) {
  Bytes excerpt(excerpt_size);
  code_excerpt(decoder, excerpt);
  context = new_context(std::make_shared<const Structure>(find_structure(excerpt)));
  return decode_objects(context, decoder, excerpt, target);
}

}  // namespace libsync::codec
