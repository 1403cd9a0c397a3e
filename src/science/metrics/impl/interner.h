#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lab::science {

/// Gives equal words equal numbers 0, 1, 2 ... Open addressing with full comparison: a collision of
/// hashes costs time, never correctness. Keeps views: the words must outlive it.
class Interner {
  public:
    explicit Interner(std::size_t words_expected);
    std::uint32_t id(std::string_view word);
    std::vector<std::uint32_t> ids(const std::vector<std::string_view>& words);
    std::size_t size() const { return words_.size(); }

  private:
    void grow();
    std::vector<std::string_view> words_;
    std::vector<std::uint64_t> hashes_;
    std::vector<std::uint32_t> slots_;  ///< number of the word + 1; 0 = free
};

}  // namespace lab::science
