// UTF-8 (common/utf8). Promises, against the plain reading of RFC 3629:
//  - whole buffers are judged rightly;
//  - a text in pieces fails in the very piece that has the first byte no text can have there.
#include "common/utf8.h"

#include <string>

#include "common/check.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/utf8_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  // The reference judges every beginning.
  constexpr std::size_t kBytesMax = 1024;
  if (size > kBytesMax) return 0;
  fuzz::Input input(data, size);
  fuzz::Chunks chunks(input);
  const auto bytes = input.rest();
  const std::string_view text = fuzz::as_text(bytes);
  const std::size_t wrong = fuzz::first_wrong_byte(text);
  const bool valid = fuzz::judge_text(text) == fuzz::Text::kValid;
  CHECK(valid_utf8(bytes) == valid);
  Utf8Validator validator;
  std::size_t fed = 0;
  while (fed < bytes.size()) {
    const std::size_t n = chunks.next(bytes.size() - fed);
    const bool good = validator.feed(bytes.subspan(fed, n));
    fed += n;
    CHECK(good == (wrong == 0 || fed < wrong));
  }
  CHECK(validator.complete() == valid);
  return 0;
}
