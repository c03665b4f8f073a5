#include "common/program.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace sluice {
namespace {

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    char name[] = "/tmp/sluice-program-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = std::getenv("PATH");
    here_ = std::filesystem::current_path();
  }
  ~ProgramTest() override {
    ::setenv("PATH", path_.c_str(), 1);
    std::filesystem::current_path(here_);
    std::filesystem::remove_all(directory_);
  }
  std::string script(const std::string& name, const std::string& body) const {
    const std::string file = directory_ + "/" + name;
    std::ofstream(file) << "#!/bin/sh\n" << body << "\n";
    ::chmod(file.c_str(), 0755);
    return file;
  }
  static Program program(std::vector<std::string> words, std::string_view flag = {}) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    return Program(static_cast<int>(argv.size()), argv.data(), flag);
  }
  static Result<void> check(const Program& program) {
    auto child = ProgramCheck::start(program);
    if (!child) return tl::make_unexpected(child.error());
    pollfd ended{child->fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 30'000), 1);
    return child->result();
  }

  std::string directory_;
  std::string path_;
  std::filesystem::path here_;
};

TEST_F(ProgramTest, IsLookedUpAsTheShellDoes) {
  const std::string file = script("tool", "exit 0");
  EXPECT_EQ(program({file}).path(), file);
  ::setenv("PATH", ("/nowhere:" + directory_ + ":/bin").c_str(), 1);
  EXPECT_EQ(program({"tool"}).path(), file);
  EXPECT_TRUE(program({"no-such-program-anywhere"}).path().empty());
  ::unsetenv("PATH");
  EXPECT_EQ(program({"sh"}).path().front(), '/');
}

TEST_F(ProgramTest, ALaterChangeOfDirectoryDoesNotMatter) {
  script("tool", "exit 0");
  std::filesystem::current_path(directory_);
  ::setenv("PATH", "/nowhere:", 1);  // behind the colon: the working directory
  const Program by_name = program({"tool"});
  const Program by_path = program({"./tool"});
  std::filesystem::current_path("/");
  EXPECT_TRUE(check(by_name));
  EXPECT_TRUE(check(by_path));
}

TEST_F(ProgramTest, AnEarlierUpgradesFlagIsNoneOfItsArguments) {
  const Program tool = program({"/bin/sh", "--resume-fd", "7", "--listen=unix:x"}, "--resume-fd");
  EXPECT_EQ(tool.arguments({"--resume-fd", "9"}),
            (std::vector<std::string>{"/bin/sh", "--listen=unix:x", "--resume-fd", "9"}));
  EXPECT_EQ(program({"/bin/sh", "--a", "b"}).arguments().size(), 3U);
}

TEST_F(ProgramTest, ACheckSaysWhatIsWrong) {
  EXPECT_TRUE(check(program({script("good", R"([ "$*" = "--flag --check" ])"), "--flag"})));
  const auto bad = check(program({script("bad", "exit 3")}));
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("/bad --check ended with code 3"), std::string::npos);
  const auto killed = check(program({script("killed", "kill -9 $$")}));
  ASSERT_FALSE(killed);
  EXPECT_NE(killed.error().message.find("signal 9"), std::string::npos);
  const auto missing = check(program({directory_ + "/missing"}));
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("No such file"), std::string::npos);
  EXPECT_FALSE(check(program({"no-such-program-anywhere"})));
}

TEST_F(ProgramTest, OneThatIsNotWaitedForLeavesNoZombie) {
  {
    auto child = ProgramCheck::start(program({script("slow", "exec sleep 1000")}));
    ASSERT_TRUE(child);
    ProgramCheck moved = std::move(*child);
    moved = std::move(*ProgramCheck::start(program({script("slower", "exec sleep 1000")})));
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(ProgramTest, ExecutingWhatIsNotThereComesBack) {
  const Error error = program({directory_ + "/missing"}).execute();
  EXPECT_EQ(error.code, ErrorCode::kSystem);
  EXPECT_NE(error.message.find("No such file"), std::string::npos);
}

/// In a child: what is executed stands in its place, with signals that are held and not lost.
TEST_F(ProgramTest, ExecutesInThisPlaceWithSignalsHeld) {
  const Program tool = program({script("tool", "kill -TERM $$; exit $#"), "a"});
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    hold_signals(true);
    static_cast<void>(tool.execute({"b"}));
    ::_exit(99);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 2);
}

}  // namespace
}  // namespace sluice
