#include "codec/codec.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <optional>

#include "codec/contents.h"
#include "codec/describer.h"
#include "codec/excerpt.h"
#include "codec/follow.h"

namespace libsync::codec {

void Touched::reset(std::size_t size_bytes) {
  size_ = size_bytes;
  parts_.assign((size_bytes >> kPartBits) / 64 + 1, 0);
}

std::vector<ByteRange> Touched::ranges() const {
  std::vector<ByteRange> ranges;
  for (std::size_t word = 0; word < parts_.size(); ++word) {
    for (std::uint64_t bits = parts_[word]; bits != 0; bits &= bits - 1) {
      const std::size_t begin = (64 * word + static_cast<std::size_t>(std::countr_zero(bits))) << kPartBits;
      const std::size_t end = std::min(begin + (std::size_t{1} << kPartBits), size_);
      if (!ranges.empty() && ranges.back().end == begin) {
        ranges.back().end = static_cast<std::uint32_t>(end);
      } else {
        ranges.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
      }
    }
  }
  return ranges;
}

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
  context.rows.shapes.use(context.structure);
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

bool decode_in_place(Context& context, BytesView patch, std::byte* bytes, Touched& touched, Undo* undo) {
  Decoder decoder(patch);
  if (undo == nullptr) {
    return decode_types(context, decoder, bytes,
                        [&](std::uint32_t position, std::uint32_t size) { touched.add(position, size); });
  }
  return decode_types(context, decoder, bytes, [&](std::uint32_t position, std::uint32_t size) {
    touched.add(position, size);
    undo->keep(bytes, position, size);
  });
}

namespace {

bool encode_objects(Context& context, Encoder& encoder, BytesView baseline, Matches matches, BytesView target) {
  context.rows.shapes.use(nullptr);
  const Structure& base = *context.structure;
  Arrangement arrangement(base, baseline, static_cast<std::uint32_t>(target.size()));
  const Wishes wishes = describe(base, baseline, target, matches, arrangement);
  auto* bytes = const_cast<std::byte*>(target.data());
  TextCoder<Encoder> text(encoder, context.models.texts);
  ArrangementCoder<Encoder> coder(encoder, context.models.arrangement, arrangement, bytes, text);
  if (!coder.run(wishes)) return false;
  Layout layout(arrangement);
  const auto prediction = std::make_unique_for_overwrite<std::byte[]>(target.size());
  layout.predict(prediction.get());
  ElementCoder<Encoder> elements(encoder, context.models.arrangement, base, baseline, layout, bytes, prediction.get());
  elements.run();  // Only what was decoded may not fit.
  std::vector<Rows> rows;
  for (std::uint32_t type = 0; type < layout.structure().types().size(); ++type) rows.push_back(layout.known(type));
  for (const Placed& piece : layout.pieces()) {
    if (piece.source == kNone) std::memcpy(prediction.get() + piece.start, bytes + piece.start, piece.size());
  }
  const ByteRange whole{0, static_cast<std::uint32_t>(target.size())};
  std::vector<Differences::OfType> differences =
      differences_within(layout.structure(), rows, {prediction.get(), target.size()}, target, {&whole, 1});
  ResidualCoder<Encoder> residual(encoder, context.models, context.rows, layout.structure(), bytes);
  if (!code_contents(context.models, residual, text, layout, arrangement, bytes, prediction.get(),
                     std::move(differences)))
    return false;
  Structure structure = layout.release_structure();
  structure.is_mixed = matches.is_mixed;
  context.structure = std::make_shared<const Structure>(std::move(structure));
  return true;
}

// All of the target's objects are new but for those that the excerpt has.
Matches new_but_for(const Excerpt& excerpt, const Structure& base, const Structure& target) {
  Matches matches;
  matches.list.reserve(target.n_objects());
  auto same = excerpt.same.begin();
  target.for_each(0, target.size_bytes, [&](const Object& object) {
    Match& match = matches.list.emplace_back();
    match.object = object;
    while (same != excerpt.same.end() && same->first < object.start) ++same;
    if (same == excerpt.same.end() || same->first != object.start) return;
    const Object source = base.object(same->second);
    if (source.start == same->second && source.type == object.type) match.source = source.start;
  });
  matches.schema = target.schema;
  matches.same_shape.assign(target.shapes().size(), kNone);
  std::iota(matches.same_shape.begin(), matches.same_shape.begin() + static_cast<std::ptrdiff_t>(base.shapes().size()),
            0u);
  return matches;
}

}  // namespace

bool encode_moved(Context& context, BytesView baseline, Matches matches, BytesView target, Bytes& out) {
  Encoder encoder(context.encoder);
  if (!encode_objects(context, encoder, baseline, std::move(matches), target)) return false;
  encoder.finish(out);
  return true;
}

bool encode_whole(const Structure& structure, BytesView target, std::size_t& excerpt_size, Bytes& out) {
  Excerpt excerpt = excerpt_of(structure, target);
  if (excerpt.bytes.empty()) return false;
  Context context = new_context(std::make_shared<const Structure>(find_structure(excerpt.bytes)));
  const Structure& base = *context.structure;
  const std::optional<Structure> followed = base.is_flatbuffer ? follow(base, excerpt.bytes, target) : std::nullopt;
  Matches matches =
      followed ? new_but_for(excerpt, base, *followed) : match(base, excerpt.bytes, structure, target, false);
  EncoderWork work;
  Encoder encoder(work);
  code_excerpt(encoder, excerpt.bytes);
  if (!encode_objects(context, encoder, excerpt.bytes, std::move(matches), target)) return false;
  excerpt_size = excerpt.bytes.size();
  encoder.finish(out);
  return true;
}

bool decode_whole(std::size_t excerpt_size, BytesView patch, Bytes& target) {
  Decoder decoder(patch);
  Context context = new_context(nullptr);
  return decode_whole(context, decoder, excerpt_size, target);
}

bool decode_moved(Context& context, BytesView baseline, BytesView patch, Bytes& target) {
  Decoder decoder(patch);
  return decode_objects(context, decoder, baseline, target);
}

}  // namespace libsync::codec
