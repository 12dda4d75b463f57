// structure.h: what a snapshot is made of: its tables, strings and vectors, found without a schema.
// Definition: docs/WIRE_FORMAT.md section 3.3. Both ends find the same, so a patch can speak of rows and columns.
//
// A guess may be wrong (a number that looks like a reference): that costs bytes, never correctness.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

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

enum class FieldKind : std::uint8_t { kUndecided, kScalar, kPending, kTable, kTables, kTexts, kText, kData };

struct Field {
  FieldKind kind = FieldKind::kUndecided;
  std::uint32_t child = kNone;  // type of what it refers to
};

// An object: all bytes from its start up to the start of the next.
struct Object {
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  std::uint32_t shape = kNone;  // of tables: their vtable; of vtables: themselves
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
  // Columns by (field + 1) << 16 | lane in it; 0: the offset of the vtable.
  std::unordered_map<std::uint32_t, std::uint32_t> columns;

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
  std::vector<Object> objects;  // by position
  std::uint64_t n_bytes = 0;    // of all objects
  std::uint32_t n_rows = 0;

  void count_rows(const Type& type);
};

struct RankedObject : Object {
  std::uint32_t type = 0;
  std::uint32_t rank = 0;  // in the type
};

// As std::popcount, which is a call where the processor is not known to have it.
inline std::uint32_t count_bits(std::uint64_t bits) {
  bits -= bits >> 1 & 0x5555555555555555;
  bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
  return static_cast<std::uint32_t>(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56);
}

struct Structure {
  std::shared_ptr<const Schema> schema;
  std::vector<Group> groups;          // [types]
  std::vector<RankedObject> objects;  // by position; they cover the buffer without gaps
  std::uint32_t size_bytes = 0;
  bool is_flatbuffer = false;
  // Bytes that no object needs, where they are too many for padding. Only an encoder's measure.
  std::uint64_t n_unexplained = 0;

  const std::vector<Type>& types() const { return schema->types; }
  const std::vector<Shape>& shapes() const { return schema->shapes; }
  const Object& object(std::uint32_t index) const { return objects[index]; }
  // Index of the object that holds this byte. Requires: position < size_bytes.
  std::uint32_t object_at(std::uint32_t position) const {
    const Starts& word = starts[position / 128];
    return word.before + count_bits(word.bits & (~std::uint64_t{0} >> (63 - position / 2 % 64))) - 1;
  }
  // Appends an object; in order of position, all of them. Then index().
  void add(std::uint32_t type, Object object) {
    objects.push_back({object, type, static_cast<std::uint32_t>(groups[type].objects.size())});
    groups[type].objects.push_back(object);
  }
  void index();
  // Without the schema, which is small and shared.
  std::size_t memory_bytes() const;

  // Of 128 bytes: a bit for every second, an object starts there; and how many start before them.
  struct Starts {
    std::uint64_t bits = 0;
    std::uint32_t before = 0;
  };
  std::vector<Starts> starts;
};

// Work: linear in the size of `bytes`, whatever they are.
Structure find_structure(BytesView bytes);

// Offsets and widths of a vtable's fields; nothing if the bytes are none. `size`: of the vtable.
// `n_read`: counts up by the fields that were looked at.
std::optional<Shape> read_shape(BytesView vtable, std::uint32_t& n_read);
// The lanes of a shape that has offsets and widths; new columns are appended to the type's.
void assign_columns(Shape& shape, Type& type);

inline std::uint32_t load16(const std::byte* at) {
  return static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8;
}
inline std::uint32_t load32(const std::byte* at) { return load16(at) | load16(at + 2) << 16; }
inline void store32(std::byte* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::byte>(value >> (8 * i));
}

}  // namespace libsync::codec
