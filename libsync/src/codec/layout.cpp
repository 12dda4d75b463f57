#include "codec/layout.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace libsync::codec {

Layout::Layout(Arrangement& arrangement)
    : arrangement_(arrangement),
      base_(arrangement.base),
      baseline_(arrangement.baseline),
      pieces_(std::move(arrangement.placed)) {
  std::reverse(pieces_.begin(), pieces_.end());
  split_runs();
  place_types();
  index_sources();
  find_known();
}

// What has another copy stands alone.
void Layout::split_runs() {
  std::vector<std::uint32_t> copied;
  for (const Placed& piece : pieces_) {
    if (piece.is_fresh) copied.push_back(piece.source);
  }
  if (copied.empty()) return;
  std::sort(copied.begin(), copied.end());
  copied.erase(std::unique(copied.begin(), copied.end()), copied.end());
  std::vector<Placed> split;
  split.reserve(pieces_.size() + 2 * copied.size());
  for (const Placed& piece : pieces_) {
    if (!piece.is_run()) {
      split.push_back(piece);
      continue;
    }
    const std::uint32_t distance = piece.start - piece.source;
    std::uint32_t from = piece.source;
    const auto add_run = [&](std::uint32_t end) {
      if (from == end) return;
      Placed part;
      part.start = from + distance;
      part.end = end + distance;
      part.source = from;
      part.n_objects = base_.starts.index_of(end - 1) - base_.starts.index_of(from) + 1;
      split.push_back(part.is_run() ? part : arrangement_.regular(base_.object(from), distance));
    };
    for (auto at = std::lower_bound(copied.begin(), copied.end(), from); at != copied.end() && *at < piece.source_end();
         ++at) {
      add_run(*at);
      const Object object = base_.object(*at);
      split.push_back(arrangement_.regular(object, distance));
      from = object.end;
    }
    add_run(piece.source_end());
  }
  pieces_ = std::move(split);
}

void Layout::place_types() {
  structure_.schema = arrangement_.shared_schema();
  structure_.size_bytes = arrangement_.target_size;
  structure_.is_flatbuffer = base_.is_flatbuffer;
  structure_.n_unexplained = base_.n_unexplained;
  structure_.starts = Starts(structure_.size_bytes);
  const std::vector<Type>& types = structure_.types();
  structure_.groups.resize(types.size());
  for (std::size_t type = 0; type < types.size(); ++type)
    structure_.groups[type].starts.reserve(base_.groups[type].starts.size() + 16);
  structure_.tags.reserve(base_.tags.size() + 64);
  stretches_.resize(types.size());
  fresh_.resize(types.size());
  n_unknown_.resize(types.size());
  vtable_position_.assign(structure_.shapes().size(), 0);
  for (std::uint32_t i = 0; i < pieces_.size(); ++i) add_piece(i);
  structure_.starts.count();
  structure_.count_rows();

  reference_begin_.push_back(0);
  for (const Shape& shape : structure_.shapes()) {
    const Type& type = types[shape.type];
    for (const std::uint16_t field : shape.present) {
      if (field < type.fields.size() && type.fields[field].child != kNone && shape.widths[field] >= 4)
        references_.push_back({shape.offsets[field], shape.widths[field]});
    }
    reference_begin_.push_back(static_cast<std::uint32_t>(references_.size()));
  }
}

void Layout::add_piece(std::uint32_t index) {
  const Placed& piece = pieces_[index];
  if (!piece.is_run()) {
    Group& group = structure_.groups[piece.type];
    structure_.starts.add(piece.start);
    structure_.tags.push_back(structure_.tag_of(piece.type, piece.shape));
    group.starts.push_back(piece.start);
    if (piece.type == 1) {
      structure_.vtable_shapes.push_back(piece.shape);
      vtable_position_[piece.shape] = piece.start;
    }
    const bool is_known = piece.source != kNone && !piece.is_fresh;
    stretches_[piece.type].push_back({index, piece.source, kNone, 1, is_known});
    n_unknown_[piece.type] += is_known ? 0 : 1;
    if (piece.is_fresh) fresh_[piece.type].push_back(piece);
    return;
  }
  const std::uint32_t distance = piece.start - piece.source;
  structure_.starts.add_moved(base_.starts, piece.source, piece.source_end(), distance);
  const auto first_tag = base_.tags.begin() + base_.starts.index_of(piece.source);
  structure_.tags.insert(structure_.tags.end(), first_tag, first_tag + piece.n_objects);
  if (!arrangement_.is_long(piece)) {
    base_.for_each(piece.source, piece.source_end(), [&](const Object& object) {
      structure_.groups[object.type].starts.push_back(object.start + distance);
      stretches_[object.type].push_back({index, object.start, kNone, 1, true});
    });
    return;
  }
  for (std::uint32_t type = 0; type < stretches_.size(); ++type) {
    const std::vector<std::uint32_t>& all = base_.groups[type].starts;
    const std::uint32_t first = base_.rank_of(type, piece.source), last = base_.rank_of(type, piece.source_end());
    if (first == last) continue;
    stretches_[type].push_back({index, all[first], first, last - first, true});
    std::vector<std::uint32_t>& starts = structure_.groups[type].starts;
    const std::size_t n = starts.size();
    starts.resize(n + last - first);
    for (std::uint32_t rank = first; rank < last; ++rank) starts[n + rank - first] = all[rank] + distance;
  }
}

void Layout::find_known() {
  known_.resize(fresh_.size());
  n_known_rows_.resize(fresh_.size());
  for (std::uint32_t type = 0; type < fresh_.size(); ++type) {
    if (are_all_known(type)) continue;
    std::uint32_t rank = 0;
    const std::vector<std::uint32_t>& starts = structure_.groups[type].starts;
    for (const Stretch& stretch : stretches_[type]) {
      if (stretch.is_known)
        known_[type].insert(known_[type].end(), starts.begin() + rank, starts.begin() + rank + stretch.n);
      rank += stretch.n;
    }
    n_known_rows_[type] = rows_in(structure_, type, known_[type]);
  }
}

Placed Layout::known_object(std::uint32_t start) const {
  const auto is_before = [](std::uint32_t position, const Placed& piece) { return position < piece.start; };
  const Placed& piece = *(std::upper_bound(pieces_.begin(), pieces_.end(), start, is_before) - 1);
  if (!piece.is_run()) return piece;
  const std::uint32_t distance = piece.start - piece.source;
  return arrangement_.regular(base_.object(start - distance), distance);
}

std::vector<ReferenceVector> Layout::reference_vectors() const {
  std::vector<ReferenceVector> vectors;
  std::size_t n_types = 0;
  for (std::uint32_t t = 0; t < stretches_.size(); ++t) {
    const Type& type = structure_.types()[t];
    if (type.kind != Kind::kReferences || type.element == kNone || stretches_[t].empty()) continue;
    if (structure_.groups[type.element].starts.empty()) continue;
    ++n_types;
    std::uint32_t rank = 0;
    for (const Stretch& stretch : stretches_[t]) {
      const Placed& piece = pieces_[stretch.piece];
      for (std::uint32_t i = 0; i < stretch.n; ++i, ++rank) {
        ReferenceVector vector;
        vector.object = structure_.object(structure_.groups[t].starts[rank]);
        vector.source = piece.is_run() ? vector.object.start - piece.start + piece.source : piece.source;
        vector.count = piece.is_run() ? load32(baseline_.data() + vector.source) : piece.count;
        vector.piece = stretch.piece;
        vectors.push_back(vector);
      }
    }
  }
  const auto is_before = [](const ReferenceVector& a, const ReferenceVector& b) {
    return a.object.start < b.object.start;
  };
  if (n_types > 1) std::sort(vectors.begin(), vectors.end(), is_before);
  return vectors;
}

// --- where objects went ------------------------------------------------------------------------------------

void Layout::index_sources() {
  by_source_.reserve(pieces_.size());
  for (std::uint32_t i = 0; i < pieces_.size(); ++i) {
    if (pieces_[i].source != kNone) by_source_.emplace_back(pieces_[i].source, i);
  }
  if (!std::is_sorted(by_source_.begin(), by_source_.end())) std::sort(by_source_.begin(), by_source_.end());
  const auto size = static_cast<std::uint32_t>(baseline_.size());
  bucket_bits_ = static_cast<unsigned>(std::bit_width(size / static_cast<std::uint32_t>(by_source_.size() + 1)));
  bucket_begin_.assign((size >> bucket_bits_) + 2, static_cast<std::uint32_t>(by_source_.size()));
  for (std::uint32_t k = static_cast<std::uint32_t>(by_source_.size()); k-- > 0;)
    bucket_begin_[by_source_[k].first >> bucket_bits_] = k;
  for (std::size_t bucket = bucket_begin_.size() - 1; bucket-- > 0;)
    bucket_begin_[bucket] = std::min(bucket_begin_[bucket], bucket_begin_[bucket + 1]);
}

// In by_source_.
std::size_t Layout::first_source_behind(std::uint32_t source) const {
  const std::uint32_t bucket = source >> bucket_bits_;
  const auto from = by_source_.begin() + bucket_begin_[bucket], to = by_source_.begin() + bucket_begin_[bucket + 1];
  const auto is_behind = [](std::uint32_t wanted, const auto& each) { return wanted < each.first; };
  return static_cast<std::size_t>(std::upper_bound(from, to, source, is_behind) - by_source_.begin());
}

// Of those with the source of `any`: the first behind `piece`, else the last.
std::uint32_t Layout::choose_copy(std::size_t any, std::uint32_t piece) const {
  const std::uint32_t source = by_source_[any].first;
  const auto behind = std::upper_bound(by_source_.begin(), by_source_.end(), std::pair(source, piece));
  return behind != by_source_.end() && behind->first == source ? behind->second : (behind - 1)->second;
}

std::uint32_t Layout::where(std::uint32_t source, std::uint32_t piece) const {
  const std::size_t behind = first_source_behind(source);
  const auto& [begin, index] = by_source_[behind - 1];
  const Placed& found = pieces_[index];
  if (found.is_run()) {
    if (source < found.source_end()) return found.start + (source - begin);
  } else if (begin == source) {
    const bool is_only = behind < 2 || by_source_[behind - 2].first != source;
    return pieces_[is_only ? index : choose_copy(behind - 1, piece)].start;
  }
  if (behind == by_source_.size()) return kNone;
  return pieces_[choose_copy(behind, piece)].start;
}

// --- motions -----------------------------------------------------------------------------------------------

std::uint32_t Layout::rank_in_base(std::uint32_t type, const Stretch& stretch) const {
  return stretch.source_rank != kNone ? stretch.source_rank : base_.rank_of(type, stretch.source);
}

void Layout::take_to_known(std::uint32_t type, std::vector<Motion>& motions) const {
  struct Move {
    std::uint32_t from, n, to;
  };
  std::vector<Move> moves;
  std::uint32_t rank = 0;
  for (const Stretch& stretch : stretches_[type]) {
    if (!stretch.is_known) continue;
    const std::uint32_t from = rank_in_base(type, stretch);
    if (!moves.empty() && moves.back().from + moves.back().n == from) {
      moves.back().n += stretch.n;
    } else {
      moves.push_back({from, stretch.n, rank});
    }
    rank += stretch.n;
  }
  const auto is_before = [](const Move& a, const Move& b) { return a.from < b.from; };
  if (!std::is_sorted(moves.begin(), moves.end(), is_before)) std::sort(moves.begin(), moves.end(), is_before);
  std::size_t n = 0, m = 0;
  bool is_sorted = true;
  for (Motion motion : motions) {
    while (m < moves.size() && moves[m].from + moves[m].n <= motion.row) ++m;
    if (m == moves.size() || motion.row < moves[m].from) continue;
    motion.row = motion.row - moves[m].from + moves[m].to;
    is_sorted = is_sorted && (n == 0 || motions[n - 1].row <= motion.row);
    motions[n++] = motion;
  }
  motions.resize(n);
  const auto is_above = [](const Motion& a, const Motion& b) { return a.row < b.row; };
  if (!is_sorted) std::stable_sort(motions.begin(), motions.end(), is_above);
}

void Layout::take_to_all(std::uint32_t type, std::vector<Motion>& motions) const {
  std::uint32_t known = 0, n_unknown = 0;  // so far
  auto motion = motions.begin();
  for (const Stretch& stretch : stretches_[type]) {
    if (!stretch.is_known) {
      n_unknown += stretch.n;
      continue;
    }
    known += stretch.n;
    for (; motion != motions.end() && motion->row < known; ++motion) motion->row += n_unknown;
  }
}

// --- prediction --------------------------------------------------------------------------------------------

// The reference at `position` leads to where its target in the baseline went.
void Layout::refer(std::uint32_t position, std::uint64_t target, std::uint32_t index, std::byte* bytes) const {
  if (target >= baseline_.size()) return;
  const std::uint32_t at = where(base_.starts.begin_of(static_cast<std::uint32_t>(target)), index);
  if (at != kNone) store32(bytes + position, at - position);
}

void Layout::predict(std::byte* bytes) const {
  for (std::uint32_t i = 0; i < pieces_.size(); ++i) {
    const Placed& piece = pieces_[i];
    if (piece.is_run()) {
      predict_run(piece, i, bytes);
    } else if (piece.source != kNone) {
      std::memset(bytes + piece.start, 0, piece.size());
      predict_object(piece, i, bytes);
    }
  }
}

void Layout::predict_run(const Placed& run, std::uint32_t index, std::byte* bytes) const {
  const std::uint32_t distance = run.start - run.source, begin = run.source, end = run.source_end();
  const auto n_types = static_cast<Tag>(structure_.types().size());
  std::memcpy(bytes + run.start, baseline_.data() + begin, end - begin);
  const Tag* tag = base_.tags.data() + base_.starts.index_of(begin);
  base_.starts.for_each(begin, end, [&](std::uint32_t start) {
    const Tag what = *tag++;
    const std::uint32_t at = start + distance;
    if (what >= n_types) {
      const std::uint32_t shape = what - n_types;
      store32(bytes + at, at - vtable_position_[shape]);
      for (const auto& [offset, width] : references_of(shape)) {
        const std::uint64_t target = std::uint64_t{start} + offset + load32(baseline_.data() + start + offset);
        const bool is_within = target < end && base_.starts.has(static_cast<std::uint32_t>(target)) && target % 2 == 0;
        if (!is_within) refer(at + offset, target, index, bytes);
      }
    } else if (structure_.types()[what].kind == Kind::kReferences) {
      std::memset(bytes + at + 4, 0, 4 * std::size_t{load32(baseline_.data() + start)});
    }
  });
}

void Layout::predict_object(const Placed& object, std::uint32_t index, std::byte* bytes) const {
  const Object from = base_.object(object.source);
  std::byte* target = bytes + object.start;
  switch (structure_.types()[object.type].kind) {
    case Kind::kTable: predict_table(object, from, index, bytes); break;
    case Kind::kVTable: {
      const Shape& shape = structure_.shapes()[object.shape];
      store16(target, shape.size);
      store16(target + 2, shape.table_size);
      for (std::size_t field = 0; field < shape.offsets.size(); ++field)
        store16(target + 4 + 2 * field, shape.offsets[field]);
      break;
    }
    case Kind::kText: {
      const BytesView text = arrangement_.old_text(from);
      store32(target, object.count);
      if (!text.empty()) std::memcpy(target + 4, text.data(), std::min<std::size_t>(text.size(), object.count));
      break;
    }
    case Kind::kReferences: store32(target, object.count); break;
    case Kind::kData: predict_data(object, from, bytes); break;
    case Kind::kOther:
      std::memcpy(target, baseline_.data() + from.start, std::min(object.size(), from.size()));
      if (object.start == 0 && from.start == 0 && object.size() >= 4 && from.size() >= 4)
        refer(0, load32(baseline_.data()), index, bytes);
      break;
  }
}

void Layout::predict_table(const Placed& object, const Object& from, std::uint32_t index, std::byte* bytes) const {
  const Shape& old_shape = structure_.shapes()[from.shape];
  const Shape& new_shape = structure_.shapes()[object.shape];
  const std::uint32_t size = object.size();
  const std::byte* source = baseline_.data() + from.start;
  std::byte* target = bytes + object.start;
  const auto refer_as = [&](std::uint32_t from_offset, std::uint32_t to_offset) {
    refer(object.start + to_offset, std::uint64_t{from.start} + from_offset + load32(source + from_offset), index,
          bytes);
  };
  if (from.shape == object.shape) {
    const std::uint32_t both = std::min(size, from.size());
    std::memcpy(target, source, std::min<std::uint32_t>(both, new_shape.table_size));
    for (const auto& [offset, width] : references_of(object.shape)) {
      if (std::uint32_t{offset} + width <= both) refer_as(offset, offset);
    }
  } else {
    const Type& type = structure_.types()[object.type];
    for (const std::uint32_t field : new_shape.present) {
      if (field >= old_shape.offsets.size()) break;
      const std::uint32_t from_offset = old_shape.offsets[field], to_offset = new_shape.offsets[field];
      if (from_offset == 0) continue;
      const std::uint32_t width = std::min(old_shape.widths[field], new_shape.widths[field]);
      if (from_offset + width > from.size()) continue;
      std::memcpy(target + to_offset, source + from_offset, width);
      if (field < type.fields.size() && type.fields[field].child != kNone && width >= 4)
        refer_as(from_offset, to_offset);
    }
  }
  store32(target, object.start - vtable_position_[object.shape]);
}

void Layout::predict_data(const Placed& object, const Object& from, std::byte* bytes) const {
  const std::uint32_t stride = structure_.types()[object.type].stride;
  const std::uint32_t size = object.size(), old_size = from.size();
  std::byte* target = bytes + object.start;
  const std::byte* source = baseline_.data() + from.start;
  if (object.splices == kNone) {
    std::memcpy(target, source, std::min<std::uint64_t>({size, old_size, 4 + std::uint64_t{stride} * object.count}));
    return;
  }
  if (old_size < 4) return;
  store32(target, object.count);
  if (stride == 0) return;
  std::uint64_t to = 4, at = 4;
  const auto copy = [&](std::uint64_t n_bytes) {
    if (to < size && at < old_size)
      std::memcpy(target + to, source + at, std::min({n_bytes, size - to, old_size - at}));
    to += n_bytes, at += n_bytes;
  };
  for (const Splice& splice : arrangement_.splices[object.splices]) {
    copy(std::uint64_t{splice.copy} * stride);
    at += std::uint64_t{splice.remove} * stride;
    for (std::uint32_t i = 0; i < splice.insert; ++i, to += stride) {
      if (to >= 4 + stride) std::memcpy(target + to, target + to - stride, stride);
    }
  }
  copy(4 + std::uint64_t{stride} * object.count - to);
}

}  // namespace libsync::codec
