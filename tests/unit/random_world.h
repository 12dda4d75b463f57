// random_world.h: FlatBuffers of a schema drawn from a seed: tables in tables, vectors of every width, strings. What
// small_world.h cannot have because its schema is one. Built by hand, without a schema.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libsync/types.h"
#include "unit/support.h"

namespace libsync::test {

class RandomWorld {
 public:
  explicit RandomWorld(Random& random) {
    const std::size_t n_types = pick(random, 2, 5);
    for (std::size_t type = 0; type < n_types; ++type) {
      std::vector<Field>& fields = schema_.emplace_back();
      const std::size_t n_fields = pick(random, 1, 7);
      for (std::size_t i = 0; i < n_fields; ++i) {
        // A table refers to later types only, so that there is an end.
        const auto kind = static_cast<Kind>(pick(random, 0, type + 1 < n_types ? kKinds - 1 : kTable - 1));
        fields.push_back({kind, kind < kTable ? 0 : pick(random, type + 1, n_types - 1), pick(random, 1, 9)});
      }
    }
    schema_[0].push_back({kTables, 1, 1});
    root_ = make_table(0, random);
    for (std::uint64_t n = pick(random, 0, 12); n > 0; --n) root_.fields.back().tables.push_back(make_table(1, random));
  }

  // Some edits, and most of what moves moves on.
  void play(Random& random) {
    move(root_);
    for (std::uint64_t edits = pick(random, 0, 5); edits > 0; --edits) edit(root_, random);
  }

  Bytes build() const {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(flatbuffers::Offset<void>(build_table(builder, root_)));
    const auto* bytes = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    return Bytes(bytes, bytes + builder.GetSize());
  }

 private:
  enum Kind { kByte, kShort, kInt, kLong, kStruct, kText, kData, kTexts, kTable, kTables, kKinds };
  struct Field {
    Kind kind;
    std::uint64_t child;  // type of kTable and kTables
    std::uint64_t speed;  // of numbers
  };
  // Bytes per element of kData.
  static constexpr std::size_t kWidths[] = {1, 2, 4, 8, 3, 12, 24, 0, 32, 1};

  struct Table;
  struct Value {
    bool is_there = true;
    std::uint64_t number = 0;
    std::vector<std::string> texts;  // kText: one
    Bytes data;
    std::vector<Table> tables;  // kTable: one
  };
  struct Table {
    std::size_t type = 0;
    std::vector<Value> fields;
  };

  static std::string make_text(Random& random) {
    return std::string(pick(random, 0, 12), static_cast<char>(pick(random, 'a', 'z')));
  }
  std::size_t width_of(const Field& field) const { return kWidths[field.speed]; }

  Table make_table(std::size_t type, Random& random) const {
    Table table{type, {}};
    for (const Field& field : schema_[type]) {
      Value value;
      value.is_there = pick(random, 0, 5) != 0;
      value.number = field.speed * pick(random, 0, 1000);
      if (field.kind == kText) value.texts = {make_text(random)};
      if (field.kind == kTexts) value.texts.assign(pick(random, 0, 3), make_text(random));
      if (field.kind == kData) value.data = random_bytes(random, width_of(field) * pick(random, 0, 6));
      if (field.kind == kTable) value.tables.push_back(make_table(field.child, random));
      if (field.kind == kTables && type > 0) {
        for (std::uint64_t n = pick(random, 0, 3); n > 0; --n) value.tables.push_back(make_table(field.child, random));
      }
      table.fields.push_back(std::move(value));
    }
    return table;
  }

  void move(Table& table) const {
    for (std::size_t i = 0; i < table.fields.size(); ++i) {
      const Field& field = schema_[table.type][i];
      if (field.speed % 3 == 0) table.fields[i].number += field.speed;
      for (Table& child : table.fields[i].tables) move(child);
    }
  }

  void edit(Table& table, Random& random) const {
    const std::size_t i = pick(random, 0, table.fields.size() - 1);
    const Field& field = schema_[table.type][i];
    Value& value = table.fields[i];
    if (!value.tables.empty() && pick(random, 0, 3) != 0)
      return edit(value.tables[pick(random, 0, value.tables.size() - 1)], random);
    if (pick(random, 0, 6) == 0) value.is_there = !value.is_there;
    switch (field.kind) {
      case kText:
      case kTexts:
        if (field.kind == kTexts) value.texts.resize(pick(random, 0, 4));
        if (!value.texts.empty()) value.texts[pick(random, 0, value.texts.size() - 1)] = make_text(random);
        break;
      case kData:
        if (pick(random, 0, 1) == 0) value.data.resize(width_of(field) * pick(random, 0, 7));
        if (!value.data.empty()) value.data[pick(random, 0, value.data.size() - 1)] ^= std::byte{5};
        break;
      case kTables: {
        const std::size_t at = pick(random, 0, value.tables.size());
        const auto place = value.tables.begin() + static_cast<std::ptrdiff_t>(at);
        if (place != value.tables.end() && pick(random, 0, 1) == 0) {
          value.tables.erase(place);
        } else if (value.tables.size() < 20) {
          value.tables.insert(place, make_table(field.child, random));
        } else {
          std::reverse(value.tables.begin(), place);
        }
        break;
      }
      default: value.number ^= pick(random, 0, 0xffff); break;
    }
  }

  static flatbuffers::uoffset_t build_texts(flatbuffers::FlatBufferBuilder& builder, const Value& value) {
    return builder.CreateVectorOfStrings(value.texts).o;
  }
  flatbuffers::uoffset_t build_child(flatbuffers::FlatBufferBuilder& builder, const Field& field,
                                     const Value& value) const {
    switch (field.kind) {
      case kText: return builder.CreateString(value.texts[0]).o;
      case kTexts: return build_texts(builder, value);
      case kTable: return build_table(builder, value.tables[0]);
      case kTables: {
        std::vector<flatbuffers::Offset<void>> offsets;
        for (const Table& table : value.tables) offsets.emplace_back(build_table(builder, table));
        return builder.CreateVector(offsets).o;
      }
      case kData: {
        const std::size_t width = width_of(field);
        builder.StartVector(value.data.size(), 1);
        builder.ForceVectorAlignment(value.data.size(), 1, width % 8 == 0 && width > 0 ? 8 : 4);
        builder.PushBytes(reinterpret_cast<const std::uint8_t*>(value.data.data()), value.data.size());
        return builder.EndVector(width == 0 ? 0 : value.data.size() / width);
      }
      default: return 0;
    }
  }
  flatbuffers::uoffset_t build_table(flatbuffers::FlatBufferBuilder& builder, const Table& table) const {
    std::vector<flatbuffers::uoffset_t> children;
    const std::vector<Field>& fields = schema_[table.type];
    for (std::size_t i = 0; i < fields.size(); ++i)
      children.push_back(table.fields[i].is_there ? build_child(builder, fields[i], table.fields[i]) : 0);
    const auto start = builder.StartTable();
    for (std::size_t i = fields.size(); i-- > 0;) {
      const auto field = flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(i));
      const std::uint64_t number = table.fields[i].number;
      if (children[i] != 0) {
        builder.AddOffset(field, flatbuffers::Offset<void>(children[i]));
      } else if (table.fields[i].is_there) {
        switch (fields[i].kind) {
          case kByte: builder.AddElement<std::uint8_t>(field, static_cast<std::uint8_t>(number), 0); break;
          case kShort: builder.AddElement<std::uint16_t>(field, static_cast<std::uint16_t>(number), 0); break;
          case kInt: builder.AddElement<std::uint32_t>(field, static_cast<std::uint32_t>(number), 0); break;
          case kLong: builder.AddElement<std::uint64_t>(field, number << 20, 0); break;
          case kStruct: {
            const Struct together{static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(i), 0xffff};
            builder.AddStruct(field, &together);
            break;
          }
          default: break;
        }
      }
    }
    return builder.EndTable(start);
  }
  struct Struct {
    std::uint32_t a, b, c;
  };

  std::vector<std::vector<Field>> schema_;
  Table root_;
};

}  // namespace libsync::test
