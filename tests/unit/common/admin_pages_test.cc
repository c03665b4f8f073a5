// What the admin listeners answer.
#include "common/admin_pages.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

class AdminPagesTest : public ::testing::Test {
 protected:
  AdminPagesTest() {
    pages_.add("/healthz", [] { return HttpReply{.status = 200, .body = "ok\n"}; });
    pages_.add("/readyz",
               [this] { return HttpReply{.status = ready_ ? 200 : 503, .body = "why\n"}; });
  }
  bool ready_ = true;
  AdminPages pages_;
};

TEST_F(AdminPagesTest, ServesAPage) {
  const HttpReply reply = pages_.handle("GET", "/healthz");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "ok\n");
  EXPECT_EQ(reply.content_type, "text/plain; charset=utf-8");
}

TEST_F(AdminPagesTest, AsksThePageEachTime) {
  EXPECT_EQ(pages_.handle("GET", "/readyz").status, 200);
  ready_ = false;
  EXPECT_EQ(pages_.handle("GET", "/readyz").status, 503);
}

TEST_F(AdminPagesTest, IgnoresTheQuery) {
  EXPECT_EQ(pages_.handle("GET", "/healthz?").status, 200);
  EXPECT_EQ(pages_.handle("GET", "/healthz?verbose=1&x=/readyz").body, "ok\n");
}

TEST_F(AdminPagesTest, RefusesOtherMethods) {
  for (const char* method : {"POST", "HEAD", "PUT", "DELETE", "get", ""}) {
    EXPECT_EQ(pages_.handle(method, "/healthz").status, 405) << method;
  }
}

TEST_F(AdminPagesTest, NamesThePagesThatThereAre) {
  for (const char* target :
       {"/", "", "?", "/healthz/", "/health", "healthz", "/HEALTHZ", "//healthz"}) {
    const HttpReply reply = pages_.handle("GET", target);
    EXPECT_EQ(reply.status, 404) << target;
    EXPECT_NE(reply.body.find("/healthz\n/readyz\n"), std::string::npos) << reply.body;
  }
}

}  // namespace
}  // namespace sluice
