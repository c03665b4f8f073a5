// Where a setting comes from and what is said when it is wrong.
#include "common/flags.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "common/log.h"

namespace sluice {
namespace {

struct Settings {
  std::string id = "none";
  std::vector<Address> listen;
  std::vector<std::string> words;
  Duration wait = std::chrono::seconds(5);
  std::uint64_t bytes = 1024;
  std::uint64_t count = 10;
  double rate = 1;
  unsigned mode = 0660;
  LogLevel level = LogLevel::kInfo;
  bool demo = false;
};

struct Outcome {
  Settings settings;
  std::optional<int> code;
  std::string out;
  std::string err;
};

Result<std::string> any_text(const std::string& text) {
  return text;
}

class FlagsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/slu-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    for (const std::string& name : variables_) ::unsetenv(name.c_str());
    std::filesystem::remove_all(directory_);
  }

  void set_variable(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    variables_.push_back(name);
  }
  std::string file(const std::string& content) {
    std::string path = directory_ + "/conf.toml";
    std::ofstream(path) << content;
    return path;
  }

  Outcome run(std::vector<std::string> args, bool listen_required = false) {
    Outcome o;
    Flags flags("sluice-test", "Does what the test wants.", "SLUICE_TEST_");
    Settings& s = o.settings;
    flags.add_as("id", {"Basics", "ID", "none", "Our name"}, s.id, any_text);
    flags.add_list_as("listen", {"Basics", "ADDR", "", "Where to listen"}, s.listen, parse_address,
                      listen_required);
    flags.add_list_as("word", {"Basics", "WORD", "", "Words"}, s.words, any_text);
    flags.add_as("publish-wait", {"Limits", "TIME", "5s", "How long"}, s.wait,
                 duration_between(std::chrono::milliseconds(1), std::chrono::hours(1)));
    flags.add_as("queue-bytes", {"Limits", "SIZE", "1KiB", "How much"}, s.bytes,
                 size_between(16, 1U << 20U));
    flags.add_as("max-channels", {"Limits", "N", "10", "How many"}, s.count,
                 count_between(1, 1000));
    flags.add_as("rate", {"Limits", "RATE", "1/s", "How fast"}, s.rate, parse_rate);
    flags.add_as("socket-mode", {"Limits", "MODE", "0660", "Who may"}, s.mode, parse_file_mode);
    flags.add_as("log-level", {"Log", "LEVEL", "info", "How much is told"}, s.level,
                 parse_log_level);
    flags.add_switch("demo", {"Log", "", "", "A page to try it"}, s.demo);
    args.insert(args.begin(), "sluice-test");
    std::vector<char*> argv;
    argv.reserve(args.size() + 1);
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    o.code = flags.parse(static_cast<int>(args.size()), argv.data());
    (void)std::fflush(stdout);
    o.out = testing::internal::GetCapturedStdout();
    o.err = testing::internal::GetCapturedStderr();
    return o;
  }

  /// As a command of a tool has them: arguments without dashes, no file.
  Outcome run_command(std::vector<std::string> args) {
    Outcome o;
    Flags flags("sluice-test", "Does what the test wants.", "SLUICE_TEST_", false);
    const auto into = [&o](const std::string& text) -> Result<void> {
      if (text == "bad") return fail(ErrorCode::kInvalid, "is bad");
      o.settings.words.push_back(text);
      return {};
    };
    flags.add_positional("FIRST", "The first", into, true);
    flags.add_positional("SECOND", "The second", into, false);
    flags.add_as("id", {"Basics", "ID", "none", "Our name"}, o.settings.id, any_text);
    args.insert(args.begin(), "sluice-test");
    std::vector<char*> argv;
    argv.reserve(args.size() + 1);
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    o.code = flags.parse(static_cast<int>(args.size()), argv.data());
    (void)std::fflush(stdout);
    o.out = testing::internal::GetCapturedStdout();
    o.err = testing::internal::GetCapturedStderr();
    return o;
  }

  /// Exit code 2 and one line that says all of it.
  void expect_refused(const Outcome& o, const std::vector<std::string>& parts) {
    EXPECT_EQ(o.code, 2);
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << o.err;
    EXPECT_TRUE(o.err.starts_with("sluice-test: ")) << o.err;
    EXPECT_EQ(o.out, "");
    for (const std::string& part : parts)
      EXPECT_NE(o.err.find(part), std::string::npos) << "no '" << part << "' in: " << o.err;
  }

  std::string directory_;
  std::vector<std::string> variables_;
};

TEST_F(FlagsTest, NothingGivenLeavesTheDefaults) {
  const Outcome o = run({});
  EXPECT_FALSE(o.code) << o.err;
  EXPECT_EQ(o.settings.id, "none");
  EXPECT_TRUE(o.settings.listen.empty());
  EXPECT_FALSE(o.settings.demo);
  EXPECT_EQ(o.out + o.err, "");
}

TEST_F(FlagsTest, TakesEachKindFromTheCommandLine) {
  const Outcome o =
      run({"--id", "a", "--listen", "127.0.0.1:1", "--listen=unix:/x", "--publish-wait", "250ms",
           "--queue-bytes", "64KiB", "--max-channels", "7", "--rate", "0.5/s", "--socket-mode",
           "600", "--log-level", "debug", "--demo"});
  ASSERT_FALSE(o.code) << o.err;
  EXPECT_EQ(o.settings.id, "a");
  ASSERT_EQ(o.settings.listen.size(), 2U);
  EXPECT_EQ(to_string(o.settings.listen[0]), "127.0.0.1:1");
  EXPECT_EQ(to_string(o.settings.listen[1]), "unix:/x");
  EXPECT_EQ(o.settings.wait, std::chrono::milliseconds(250));
  EXPECT_EQ(o.settings.bytes, 65536U);
  EXPECT_EQ(o.settings.count, 7U);
  EXPECT_EQ(o.settings.rate, 0.5);
  EXPECT_EQ(o.settings.mode, 0600U);
  EXPECT_EQ(o.settings.level, LogLevel::kDebug);
  EXPECT_TRUE(o.settings.demo);
}

TEST_F(FlagsTest, TakesEachKindFromTheEnvironment) {
  set_variable("SLUICE_TEST_ID", "b");
  set_variable("SLUICE_TEST_LISTEN", "127.0.0.1:1,unix:/x");
  set_variable("SLUICE_TEST_PUBLISH_WAIT", "2s");
  set_variable("SLUICE_TEST_MAX_CHANNELS", "8");
  set_variable("SLUICE_TEST_DEMO", "true");
  const Outcome o = run({});
  ASSERT_FALSE(o.code) << o.err;
  EXPECT_EQ(o.settings.id, "b");
  EXPECT_EQ(o.settings.listen.size(), 2U);
  EXPECT_EQ(o.settings.wait, std::chrono::seconds(2));
  EXPECT_EQ(o.settings.count, 8U);
  EXPECT_TRUE(o.settings.demo);
}

TEST_F(FlagsTest, TakesEachKindFromTheFile) {
  const Outcome o = run(
      {"--config", file("# comment\nid = 'c'\nlisten = ['127.0.0.1:1', 'unix:/x']\nword = 'alone'\n"
                        "publish-wait = \"3s\"\nmax-channels = 9\ndemo = true\n")});
  ASSERT_FALSE(o.code) << o.err;
  EXPECT_EQ(o.settings.id, "c");
  EXPECT_EQ(o.settings.listen.size(), 2U);
  EXPECT_EQ(o.settings.words, std::vector<std::string>{"alone"});
  EXPECT_EQ(o.settings.wait, std::chrono::seconds(3));
  EXPECT_EQ(o.settings.count, 9U);
  EXPECT_TRUE(o.settings.demo);
}

TEST_F(FlagsTest, FirstOfFlagEnvironmentFileDefaultWins) {
  const std::string path = file("id = 'file'\nlisten = ['127.0.0.1:3']\ndemo = true\n");
  EXPECT_EQ(run({"--config", path}).settings.id, "file");
  EXPECT_TRUE(run({"--config", path}).settings.demo);
  set_variable("SLUICE_TEST_ID", "environment");
  set_variable("SLUICE_TEST_LISTEN", "127.0.0.1:2");
  set_variable("SLUICE_TEST_DEMO", "false");
  Outcome o = run({"--config", path});
  EXPECT_EQ(o.settings.id, "environment");
  EXPECT_FALSE(o.settings.demo);
  ASSERT_EQ(o.settings.listen.size(), 1U) << "a list is replaced, not joined";
  EXPECT_EQ(o.settings.listen[0].port, 2);
  o = run({"--config", path, "--id", "flag", "--listen", "127.0.0.1:1", "--demo"});
  EXPECT_EQ(o.settings.id, "flag");
  EXPECT_TRUE(o.settings.demo);
  ASSERT_EQ(o.settings.listen.size(), 1U);
  EXPECT_EQ(o.settings.listen[0].port, 1);
  o = run({"--demo=false"});
  EXPECT_FALSE(o.settings.demo);
}

TEST_F(FlagsTest, ABadValueInALosingPlaceDoesNotMatter) {
  set_variable("SLUICE_TEST_MAX_CHANNELS", "many");
  EXPECT_EQ(run({"--max-channels", "5"}).settings.count, 5U);
}

TEST_F(FlagsTest, TheFileCanComeFromTheEnvironment) {
  set_variable("SLUICE_TEST_CONFIG", file("id = 'c'\n"));
  EXPECT_EQ(run({}).settings.id, "c");
}

TEST_F(FlagsTest, BadValuesNameTheirPlace) {
  expect_refused(run({"--publish-wait", "5"}), {"--publish-wait: '5' is not a duration", "250ms"});
  expect_refused(run({"--publish-wait", "2h"}), {"--publish-wait: '2h' is not between 1ms and 1h"});
  expect_refused(run({"--queue-bytes", "8B"}),
                 {"--queue-bytes: '8B' is not between 16B and 1048576B"});
  expect_refused(run({"--max-channels", "0"}),
                 {"--max-channels: '0' is not a whole number from 1 to 1000"});
  expect_refused(run({"--listen", "nowhere"}), {"--listen: 'nowhere' is not an address"});
  expect_refused(run({"--socket-mode", "999"}),
                 {"--socket-mode: '999' is not a file mode such as 0660"});

  const std::string path = file("id = 'x'\n\nmax-channels = 1001\n");
  expect_refused(run({"--config", path}),
                 {path + ":3: max-channels: '1001' is not a whole number"});
  set_variable("SLUICE_TEST_MAX_CHANNELS", "many");
  expect_refused(run({"--config", path}), {"SLUICE_TEST_MAX_CHANNELS (--max-channels): 'many'"});
}

TEST_F(FlagsTest, ABadListElementIsNamed) {
  expect_refused(run({"--listen", "127.0.0.1:1", "--listen", "x"}), {"--listen: 'x'"});
  set_variable("SLUICE_TEST_LISTEN", "127.0.0.1:1,y");
  expect_refused(run({}), {"SLUICE_TEST_LISTEN (--listen): 'y'"});
}

TEST_F(FlagsTest, BadSwitchesAreRefused) {
  set_variable("SLUICE_TEST_DEMO", "1");
  expect_refused(run({}), {"SLUICE_TEST_DEMO (--demo): '1' is neither true nor false"});
  ::unsetenv("SLUICE_TEST_DEMO");
  const std::string path = file("demo = 'yes'\n");
  expect_refused(run({"--config", path}), {path + ":1: demo: 'yes' is neither true nor false"});
}

TEST_F(FlagsTest, UnknownFlagsAndStrayWordsAreRefused) {
  expect_refused(run({"--no-such-flag"}), {"--no-such-flag", "--help"});
  expect_refused(run({"--no-such-flag=1"}), {"--no-such-flag"});
  expect_refused(run({"stray"}), {"stray"});
  expect_refused(run({"--listen", "127.0.0.1:1", "127.0.0.1:2"}), {"127.0.0.1:2"});
  expect_refused(run({"--id"}), {"--id"});
  expect_refused(run({"--id", "a", "--id", "b"}), {"--id"});
}

TEST_F(FlagsTest, MissingRequiredSettingSaysAllThreeWays) {
  const std::vector<std::string> parts = {"--listen is missing", "SLUICE_TEST_LISTEN", "'listen'",
                                          "--config"};
  expect_refused(run({}, true), parts);
  expect_refused(run({"--config", file("listen = []\n")}, true), parts);
  set_variable("SLUICE_TEST_LISTEN", "");
  expect_refused(run({}, true), parts);
}

TEST_F(FlagsTest, UnknownKeysStopTheStart) {
  const std::string path = file("id = 'x'\n\npublish-weight = '5s'\n");
  expect_refused(run({"--config", path}), {path + ":3: unknown key 'publish-weight'", "--help"});
  expect_refused(run({"--config", file("help = true\n")}), {":1: unknown key 'help'"});
  expect_refused(run({"--config", file("config = 'x'\n")}), {":1: unknown key 'config'"});
}

TEST_F(FlagsTest, TablesAreRefused) {
  expect_refused(run({"--config", file("id = 'x'\n[limits]\nmax-channels = 5\n")}),
                 {":2: [limits]: tables are not used", "top level"});
  expect_refused(run({"--config", file("limits.max-channels = 5\n")}), {":1: [limits]"});
  expect_refused(run({"--config", file("id = { a = 1 }\n")}), {":1: [id]"});
  expect_refused(run({"--config", file("[[listen]]\na = 1\n")}), {"listen"});
}

// Only a TOML string can hold a 0 byte, at which file names would be cut.
TEST_F(FlagsTest, ZeroBytesAreRefused) {
  expect_refused(run({"--config", file("id = \"a\\u0000b\"\n")}), {":1: id: has a 0 byte"});
  expect_refused(run({"--config", file("listen = [\"unix:/a\\u0000\"]\n")}),
                 {":1: listen: has a 0 byte"});
}

TEST_F(FlagsTest, ValuesOfAnotherKindAreRefused) {
  expect_refused(run({"--config", file("id = 1.5\n")}), {":1: id: write a string"});
  expect_refused(run({"--config", file("id = 1979-05-27\n")}), {":1: id: write a string"});
  expect_refused(run({"--config", file("id = ['a']\n")}), {":1: id: write a string"});
  expect_refused(run({"--config", file("listen = [['a']]\n")}),
                 {":1: listen: write strings in the array"});
  expect_refused(run({"--config", file("listen = 1.5\n")}),
                 {":1: listen: write an array of strings"});
}

TEST_F(FlagsTest, MalformedTomlNamesFileAndLine) {
  const std::string path = file("id = 'x'\nlisten = [\n");
  expect_refused(run({"--config", path}), {"--config: " + path + ":"});
  expect_refused(run({"--config", file("id = 'x'\nid 'y'\n")}), {path + ":2:"});
  expect_refused(run({"--config", file("id = 'x'\nid = 'y'\n")}), {path + ":2:", "id"});
}

TEST_F(FlagsTest, AFileThatCannotBeReadIsNamed) {
  expect_refused(run({"--config", directory_ + "/none.toml"}),
                 {"--config: " + directory_ + "/none.toml: No such file"});
  expect_refused(run({"--config", directory_}), {"--config: " + directory_ + ": Is a directory"});
  expect_refused(run({"--config", file(std::string((1U << 20U) + 1, '\n'))}), {"at most 1 MiB"});
}

TEST_F(FlagsTest, AnErrorIsOneLineWhateverWasTyped) {
  expect_refused(run({"--max-channels", "1\n2\x1b[31m"}), {"--max-channels: '1 2 [31m'"});
}

TEST_F(FlagsTest, TextIsTakenAsItIs) {
  for (const char* text :
       {"Connected to {id}", "a,b", "[x]", "{}", "", "%%", "ü", "1e5", "'quoted'"}) {
    EXPECT_EQ(run({"--id", text}).settings.id, text);
    set_variable("SLUICE_TEST_ID", text);
    EXPECT_EQ(run({}).settings.id, text);
    ::unsetenv("SLUICE_TEST_ID");
  }
  EXPECT_EQ(run({"--id=-starts-with-a-dash"}).settings.id, "-starts-with-a-dash");
  EXPECT_EQ(run({"--word", "a,b", "--word", "[c]"}).settings.words,
            (std::vector<std::string>{"a,b", "[c]"}));
}

TEST_F(FlagsTest, HelpIsGroupedAndShowsDefaults) {
  const Outcome o = run({"--help"});
  EXPECT_EQ(o.code, 0);
  EXPECT_EQ(o.err, "");
  for (const char* part :
       {"Does what the test wants.", "Basics:", "Limits:", "Log:", "--listen ADDR",
        "--publish-wait TIME", "[5s]", "[1KiB]", "--demo", "--config FILE", "--version",
        "SLUICE_TEST_NAME", "The first of flag, environment, file, default wins"}) {
    EXPECT_NE(o.out.find(part), std::string::npos) << "no '" << part << "' in\n" << o.out;
  }
  EXPECT_EQ(run({"-h"}).out, o.out);
  EXPECT_NE(run({"--help"}, true).out.find("(required)"), std::string::npos);
}

TEST_F(FlagsTest, HelpComesBeforeComplaints) {
  EXPECT_EQ(run({"--help"}, true).code, 0);
  EXPECT_EQ(run({"--max-channels", "x", "--help"}).code, 0);
}

TEST_F(FlagsTest, Version) {
  const Outcome o = run({"--version"}, true);
  EXPECT_EQ(o.code, 0);
  EXPECT_EQ(o.out, "sluice-test " SLUICE_VERSION "\n");
}

TEST(FileMode, IsThreeOrFourOctalDigits) {
  EXPECT_EQ(parse_file_mode("0660").value(), 0660U);
  EXPECT_EQ(parse_file_mode("777").value(), 0777U);
  for (const char* text : {"", "6", "66", "06600", "0888", "1777", "-660", "0x1f", "rw-"})
    EXPECT_FALSE(parse_file_mode(text)) << text;
}

// ---- commands of a tool

using Words = std::vector<std::string>;

TEST_F(FlagsTest, ArgumentsWithoutDashesComeInTheirOrderAmongTheFlags) {
  const Outcome o = run_command({"one", "--id", "x", "two"});
  EXPECT_FALSE(o.code) << o.err;
  EXPECT_EQ(o.settings.words, (Words{"one", "two"}));
  EXPECT_EQ(o.settings.id, "x");
  EXPECT_EQ(run_command({"one"}).settings.words, Words{"one"});
  EXPECT_EQ(run_command({"one", "--", "--two"}).settings.words, (Words{"one", "--two"}));
  EXPECT_EQ(run_command({"one", ""}).settings.words, (Words{"one", ""})) << "empty is a value";
}

TEST_F(FlagsTest, ArgumentsThatAreMissingTooManyOrBadAreNamed) {
  expect_refused(run_command({}), {"FIRST", "required"});
  expect_refused(run_command({"one", "two", "three"}), {"not expected", "three"});
  expect_refused(run_command({"bad"}), {"FIRST: is bad"});
}

TEST_F(FlagsTest, ArgumentsHaveNoEnvironmentAndACommandNoFile) {
  set_variable("SLUICE_TEST_SECOND", "from the environment");
  set_variable("SLUICE_TEST_CONFIG", file("id = \"from the file\"\n"));
  set_variable("SLUICE_TEST_FIRST", "from the environment");
  const Outcome o = run_command({"one"});
  EXPECT_EQ(o.settings.words, Words{"one"});
  EXPECT_EQ(o.settings.id, "none");
  expect_refused(run_command({}), {"FIRST"});
  EXPECT_EQ(run_command({"one", "--config", "x"}).code, 2);
  set_variable("SLUICE_TEST_ID", "from the environment");
  EXPECT_EQ(run_command({"one"}).settings.id, "from the environment");
}

TEST_F(FlagsTest, HelpOfACommandShowsItsArguments) {
  const Outcome o = run_command({"--help"});
  EXPECT_EQ(o.code, 0);
  EXPECT_NE(o.out.find("Usage: sluice-test [OPTIONS] FIRST [SECOND]"), std::string::npos) << o.out;
  EXPECT_EQ(o.out.find("--config"), std::string::npos);
}

}  // namespace
}  // namespace sluice
