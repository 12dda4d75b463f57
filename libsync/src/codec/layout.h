// layout.h: a target of which every object has its place, and what it would hold if nothing but places had changed.
// Format: docs/WIRE_FORMAT.md section 3.4, "Prediction".
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "codec/arrangement.h"
#include "codec/models.h"
#include "codec/rows.h"
#include "codec/structure.h"

namespace libsync::codec {

// A vector of references in the target, and the one it comes from.
struct ReferenceVector {
  Object object;
  std::uint32_t source = 0;  // start in the baseline
  std::uint32_t count = 0;
  std::uint32_t piece = 0;  // index in Layout::pieces()
};

class Layout {
 public:
  // Requires: all is placed. The arrangement stays in use, without its list of what is placed.
  explicit Layout(Arrangement& arrangement);

  // The target's, in the words of the baseline.
  const Structure& structure() const { return structure_; }
  Structure release_structure() { return std::move(structure_); }
  // Objects and runs, front to back.
  std::span<const Placed> pieces() const { return pieces_; }
  // Of a type, the objects with a predecessor; and those without, front to back.
  Rows known(std::uint32_t type) const {
    return are_all_known(type) ? rows_of(structure_.groups[type]) : Rows{known_[type], n_known_rows_[type]};
  }
  bool are_all_known(std::uint32_t type) const { return n_unknown_[type] == 0; }
  std::span<const Placed> fresh(std::uint32_t type) const { return fresh_[type]; }
  // One of the objects with a predecessor, as if it had been placed by itself.
  Placed known_object(std::uint32_t start) const;
  // With an element type that the target has objects of, front to back.
  std::vector<ReferenceVector> reference_vectors() const;

  // Where the object that began at `source`, or the next one that is anywhere, begins in the target, as seen from a
  // piece. kNone: nowhere. Requires: the source of some piece is there or before, as what refers to something is.
  std::uint32_t where(std::uint32_t source, std::uint32_t piece) const;
  // Fills the target with the prediction, all but raw bytes. Elements of vectors of references are 0.
  void predict(std::byte* bytes) const;

  // Motions from the baseline's rows to known rows, and from these to rows of all objects. Requires: one row each.
  void take_to_known(std::uint32_t type, std::vector<Motion>& motions) const;
  void take_to_all(std::uint32_t type, std::vector<Motion>& motions) const;

 private:
  // Objects of a type that are neighbours among their kind in the baseline and in the target.
  // A field that refers to something.
  struct Reference {
    std::uint16_t offset;
    std::uint16_t width;
  };
  struct Stretch {
    std::uint32_t piece;
    std::uint32_t source;       // start of the first in the baseline; kNone: raw
    std::uint32_t source_rank;  // of it; kNone: not looked up
    std::uint32_t n;
    bool is_known;
  };
  void split_runs();
  void place_types();
  void add_piece(std::uint32_t index);
  void index_sources();
  void find_known();
  std::uint32_t rank_in_base(std::uint32_t type, const Stretch& stretch) const;
  std::size_t first_source_behind(std::uint32_t source) const;
  std::uint32_t choose_copy(std::size_t any, std::uint32_t piece) const;

  void predict_run(const Placed& run, std::uint32_t index, std::byte* bytes) const;
  void predict_object(const Placed& object, std::uint32_t index, std::byte* bytes) const;
  void predict_table(const Placed& object, const Object& from, std::uint32_t index, std::byte* bytes) const;
  void predict_data(const Placed& object, const Object& from, std::byte* bytes) const;
  void refer(std::uint32_t position, std::uint64_t target_of_source, std::uint32_t index, std::byte* bytes) const;
  std::span<const Reference> references_of(std::uint32_t shape) const {
    return {references_.data() + reference_begin_[shape], reference_begin_[shape + 1] - reference_begin_[shape]};
  }

  const Arrangement& arrangement_;
  const Structure& base_;
  BytesView baseline_;
  std::vector<Placed> pieces_;
  Structure structure_;
  std::vector<std::vector<Stretch>> stretches_;                     // [types] front to back
  std::vector<std::vector<Placed>> fresh_;                          // [types]
  std::vector<std::uint32_t> n_unknown_;                            // [types] without a predecessor
  std::vector<std::vector<std::uint32_t>> known_;                   // [types] starts, where not all are
  std::vector<std::uint32_t> n_known_rows_;                         // [types] the same
  std::vector<std::uint32_t> vtable_position_;                      // [shapes]
  std::vector<Reference> references_;                               // of all shapes' tables
  std::vector<std::uint32_t> reference_begin_;                      // [shapes + 1] in references_
  std::vector<std::pair<std::uint32_t, std::uint32_t>> by_source_;  // source, index of piece; ascending
  std::vector<std::uint32_t> bucket_begin_;                         // in by_source_, of equal parts of the baseline
  unsigned bucket_bits_ = 0;
};

}  // namespace libsync::codec
