// structure.h: what a snapshot is made of: its tables, strings and vectors, found without a schema.
// Definition: docs/WIRE_FORMAT.md section 3.3. Both ends find the same, so a patch can speak of rows and columns.
//
// A guess may be wrong (a number that looks like a reference): that costs bytes, never correctness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "codec/column_numbers.h"
#include "codec/starts.h"
#include "libsync/types.h"

namespace libsync::codec {

inline constexpr std::uint32_t kNone = 0xffffffff;

// Columns of a table that no field covers: between the vtable offset and the first field, and behind the table.
inline constexpr std::uint32_t kHeadColumns = 1u << 28;
inline constexpr std::uint32_t kTailColumns = 1u << 29;
inline constexpr std::uint32_t kEndColumns = 1u << 30;

enum class Kind : std::uint8_t {
  kOther,  // the root offset and file identifier; all of a buffer that is no FlatBuffer
  kVTable,
  kTable,
  kReferences,  // a vector of tables or of strings
  kText,        // a string
  kData,        // a vector of scalars or structs
};

// Four bytes of a row, or fewer at its end.
struct Lane {
  std::uint32_t column = 0;
  std::uint16_t offset = 0;  // from the start of the table
  std::uint16_t width = 0;
};

// A vtable. Tables of one type have several where fields were left out or padded otherwise.
struct Shape {
  std::uint32_t type = kNone;
  std::uint16_t size = 0;
  std::uint16_t table_size = 0;
  std::vector<std::uint16_t> offsets;    // [fields], 0: absent
  std::vector<std::uint16_t> widths;     // [fields], bytes up to the next field or the end of the table
  std::vector<std::uint16_t> present;    // the fields that are not absent, ascending
  std::vector<Lane> lanes;               // by column
  std::vector<std::uint16_t> by_offset;  // the same lanes by their place: indices in `lanes`
  std::vector<std::uint16_t>
      first_in_word;  // [words of 4 bytes of the table + 1] in by_offset: lanes that begin in it or after
};

inline bool is_same(const Shape& a, const Shape& b) {
  return a.size == b.size && a.table_size == b.table_size && a.offsets == b.offsets;
}

enum class FieldKind : std::uint8_t { kUndecided, kScalar, kPending, kTable, kTables, kTexts, kText, kData };

struct Field {
  FieldKind kind = FieldKind::kUndecided;
  std::uint32_t child = kNone;  // type of what it refers to
};

// An object: all bytes from its start up to the start of the next.
struct Object {
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  std::uint32_t type = 0;
  std::uint32_t shape = kNone;  // of tables: their vtable; of vtables: themselves

  std::uint32_t size() const { return end - start; }
};

// What objects of one meaning have in common.
struct Type {
  Kind kind = Kind::kOther;
  bool is_whole = false;          // one row per object, although it is a vector
  bool is_aligned = false;        // elements of 8 bytes, on multiples of 8
  std::uint32_t element = kNone;  // of kReferences: type of what the elements refer to
  std::uint32_t stride = 0;       // of kData: bytes per element
  std::vector<Field> fields;
  std::vector<std::uint32_t> shapes;  // in order of discovery
  ColumnNumbers columns;              // by (field + 1) << 16 | lane in it; 0: the offset of the vtable

  // Rows an object of this many bytes has, and bytes per row. Tables, strings and whole vectors: one.
  std::uint32_t rows_of(std::uint32_t size_bytes) const;
  std::uint32_t row_bytes() const { return kind == Kind::kData && stride >= 8 ? stride : 32; }
  bool has_one_row() const { return kind == Kind::kTable || kind == Kind::kText || is_whole; }
  bool has_length() const { return kind == Kind::kData || kind == Kind::kReferences; }
};

// What is known of the types; snapshots of which nothing new was learnt share it.
struct Schema {
  std::vector<Type> types;  // [0] kOther, [1] kVTable, then as discovered
  std::vector<Shape> shapes;
};

// The objects of one type.
struct Group {
  std::vector<std::uint32_t> starts;  // ascending
  std::uint32_t n_rows = 0;
  bool is_roomy = true;  // no table is smaller than its vtable says
};

// Types and vtables together: each has a tag.
inline constexpr std::size_t kMaxTags = 65535;
using Tag = std::uint16_t;

// Of an object: where it begins, and what it is.
struct Found {
  std::uint32_t start;
  std::uint32_t type;
  std::uint32_t shape;
};

struct Structure {
  std::shared_ptr<const Schema> schema;
  Starts starts;
  std::vector<Tag> tags;      // [objects, by position] of a table: types + its shape; of others: their type
  std::vector<Group> groups;  // [types]
  std::vector<std::uint32_t> vtable_shapes;  // [groups[1].starts]
  std::uint32_t size_bytes = 0;
  bool is_flatbuffer = false;
  // Bytes that no object needs, where they are too many for padding. Only an encoder's measure.
  std::uint64_t n_unexplained = 0;
  // Tables of different meaning share a vtable, so that they were taken for one type. The same.
  bool is_mixed = false;

  const std::vector<Type>& types() const { return schema->types; }
  const std::vector<Shape>& shapes() const { return schema->shapes; }
  std::uint32_t n_objects() const { return static_cast<std::uint32_t>(tags.size()); }
  // The object that holds this byte. Requires: position < size_bytes.
  Object object(std::uint32_t position) const {
    Object object;
    object.start = starts.begin_of(position);
    object.end = starts.next(position);
    set_type(object, tags[starts.index_of(position)]);
    return object;
  }
  Tag tag_of(std::uint32_t type, std::uint32_t shape) const {
    return static_cast<Tag>(types()[type].kind == Kind::kTable ? types().size() + shape : type);
  }
  std::uint32_t type_of(Tag tag) const { return tag < types().size() ? tag : shapes()[tag - types().size()].type; }
  // From the tag of an object whose start is known.
  void set_type(Object& object, Tag tag) const {
    object.type = type_of(tag);
    if (tag >= types().size()) object.shape = tag - static_cast<std::uint32_t>(types().size());
    if (object.type == 1) object.shape = vtable_shapes[rank_of(1, object.start)];
  }
  // How many objects of a type begin before this position.
  std::uint32_t rank_of(std::uint32_t type, std::uint32_t position) const;
  // Calls visit(object) for all objects that begin in [begin, end), ascending. Requires: one begins at `begin`, or
  // there is nothing between; end <= size_bytes.
  template <typename Visit>
  void for_each(std::uint32_t begin, std::uint32_t end, Visit visit) const {
    if (begin >= end) return;
    std::uint32_t next = starts.index_of(begin);
    Object object{kNone, 0, 0, kNone};
    const auto visit_until = [&](std::uint32_t start) {
      if (object.start != kNone) {
        object.end = start;
        object.shape = kNone;
        set_type(object, tags[next++]);
        visit(static_cast<const Object&>(object));
      }
      object.start = start;
    };
    starts.for_each(begin, end, visit_until);
    visit_until(starts.next(object.start));
  }
  // Fills all that follows from the objects, in any order, but for the rows. Requires: schema, size_bytes; each start
  // once, one at 0 unless there are none at all.
  void assemble(std::span<const Found> found);
  void count_rows();
  // Without the schema, which is small and shared.
  std::size_t memory_bytes() const;
};

// Rows that `starts`, objects of a type, have together.
std::uint32_t rows_in(const Structure& structure, std::uint32_t type, std::span<const std::uint32_t> starts);

// Work: linear in the size of `bytes`, whatever they are.
Structure find_structure(BytesView bytes);

// Offsets and widths of a vtable's fields; nothing if the bytes are none. `n_read`: counts up by the fields that were
// looked at. Requires: there are as many bytes as the vtable says, if it says that much.
std::optional<Shape> read_shape(BytesView vtable, std::uint32_t& n_read);
// The lanes of a shape that has offsets and widths; new columns are appended to the type's.
void assign_columns(Shape& shape, Type& type);

inline std::uint32_t load16(const std::byte* at) {
  return static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8;
}
inline std::uint32_t load32(const std::byte* at) { return load16(at) | load16(at + 2) << 16; }
inline void store16(std::byte* at, std::uint32_t value) {
  at[0] = static_cast<std::byte>(value);
  at[1] = static_cast<std::byte>(value >> 8);
}
inline void store32(std::byte* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::byte>(value >> (8 * i));
}

}  // namespace libsync::codec
