#include "codec/codec.h"

#include <cstring>

#include "codec/contents.h"
#include "codec/describer.h"
#include "codec/matcher.h"

namespace libsync::codec {

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

bool encode_in_place(Context& context, BytesView baseline, BytesView target, const Differences& differences,
                     Bytes& out) {
  const Structure& structure = *context.structure;
  const std::vector<Differences::OfType>& all = differences.types;
  Encoder encoder(context.encoder);
  auto* bytes = const_cast<std::byte*>(target.data());
  ResidualCoder<Encoder> residual(encoder, context.models, context.rows, structure, bytes);
  TextCoder<Encoder> text(encoder, context.models.texts);
  for (std::uint32_t t = 0; t < all.size(); ++t) {
    const Group& group = structure.groups[t];
    if (structure.types()[t].kind != Kind::kText) {
      if (!residual.rows(t, rows_of(group), all[t].changes, [](Entry) {})) return false;
      continue;
    }
    std::vector<std::uint32_t> texts = all[t].texts;
    residual.texts(t, static_cast<std::uint32_t>(group.starts.size()), texts);
    for (const std::uint32_t rank : all[t].texts) {
      const Object object = structure.object(group.starts[rank]);
      const BytesView source = text_of(baseline.data(), object);
      text.text(source, static_cast<std::uint32_t>(source.size()), bytes + object.start, object.end - object.start);
    }
  }
  encoder.finish(out);
  return true;
}

bool decode_in_place(Context& context, BytesView patch, std::byte* bytes, Undo* undo) {
  Decoder decoder(patch);
  if (undo == nullptr) return decode_types(context, decoder, bytes, [](std::uint32_t, std::uint32_t) {});
  return decode_types(context, decoder, bytes,
                      [&](std::uint32_t position, std::uint32_t size) { undo->keep(bytes, position, size); });
}

bool encode_moved(Context& context, BytesView baseline, const Structure& target_structure, bool is_followed,
                  BytesView target, Bytes& out) {
  const Structure& base = *context.structure;
  Encoder encoder(context.encoder);
  Arrangement arrangement(base, baseline, static_cast<std::uint32_t>(target.size()));
  Matches matches = match(base, baseline, target_structure, target, is_followed);
  const Wishes wishes = describe(base, baseline, target, matches, arrangement);
  auto* bytes = const_cast<std::byte*>(target.data());
  TextCoder<Encoder> text(encoder, context.models.texts);
  ArrangementCoder<Encoder> coder(encoder, context.models.arrangement, arrangement, bytes, text);
  if (!coder.run(wishes)) return false;
  Layout layout(arrangement);
  Bytes prediction(target.size());
  layout.predict(prediction.data());
  ElementCoder<Encoder> elements(encoder, context.models.arrangement, base, baseline, layout, bytes, prediction.data());
  if (!elements.run()) return false;
  std::vector<Rows> rows;
  for (std::uint32_t type = 0; type < layout.structure().types().size(); ++type) rows.push_back(layout.known(type));
  for (const Placed& piece : layout.pieces()) {
    if (piece.source == kNone) std::memcpy(prediction.data() + piece.start, bytes + piece.start, piece.size());
  }
  const Range whole{0, static_cast<std::uint32_t>(target.size())};
  std::vector<Differences::OfType> differences =
      differences_within(layout.structure(), rows, prediction, target, {&whole, 1});
  ResidualCoder<Encoder> residual(encoder, context.models, context.rows, layout.structure(), bytes);
  if (!code_contents(context.models, residual, text, layout, arrangement, bytes, prediction.data(),
                     std::move(differences)))
    return false;
  encoder.finish(out);
  context.structure = std::make_shared<const Structure>(layout.release_structure());
  return true;
}

bool decode_moved(Context& context, BytesView baseline, BytesView patch, Bytes& target) {
  Decoder decoder(patch);
  return decode_objects(context, decoder, baseline, target);
}

}  // namespace libsync::codec
