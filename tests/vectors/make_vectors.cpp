// make_vectors FOLDER: writes the golden vectors anew. Run by hand after a change of format, in the same commit as
// docs/WIRE_FORMAT.md; the tests of C++ and TypeScript only read them. Each file is a JSON array with one object a
// line, all values strings (bytes and 64-bit numbers in hex), so that a reader needs no JSON library.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "vectors.h"

namespace {

using namespace libsync::vectors;

void write_file(const std::string& path, const std::vector<Object>& objects) {
  std::ofstream file(path);
  file << "[\n";
  for (std::size_t i = 0; i < objects.size(); ++i) {
    file << "{";
    for (std::size_t j = 0; j < objects[i].size(); ++j) {
      file << (j == 0 ? "" : ", ") << '"' << objects[i][j].first << "\": \"" << objects[i][j].second << '"';
    }
    file << (i + 1 == objects.size() ? "}\n" : "},\n");
  }
  file << "]\n";
  std::printf("%s: %zu\n", path.c_str(), objects.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  const std::string folder = argv[1];
  write_file(folder + "/digests.json", digests());
  write_file(folder + "/patches.json", patches(folder));
  write_file(folder + "/frames.json", frames());
  write_file(folder + "/messages.json", messages());
  return 0;
}
