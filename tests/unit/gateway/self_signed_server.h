// A TLS server on the loopback whose certificate nobody has signed but itself: takes one
// connection, and knows what became of it.
#pragma once

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>

#include "common/address.h"
#include "common/unique_fd.h"

namespace sluice::gateway {

class SelfSignedServer {
 public:
  SelfSignedServer() : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_set_version(certificate.get(), X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    SSL_CTX_use_certificate(context_.get(), certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), key.get());
    listener_ = std::move(*listen_on(*parse_address("127.0.0.1:0"), {}));
    address_ = local_name(listener_.get());
    // A blocking one is enough.
    ::fcntl(listener_.get(), F_SETFL, 0);
    thread_ = std::thread([this] { take_one(); });
  }
  ~SelfSignedServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  SelfSignedServer(const SelfSignedServer&) = delete;
  SelfSignedServer& operator=(const SelfSignedServer&) = delete;

  [[nodiscard]] std::string url() const { return "https://" + address_ + "/"; }
  /// The client has ended the handshake because of the certificate.
  [[nodiscard]] bool was_distrusted() {
    thread_.join();
    return reason_ == SSL_R_TLSV1_ALERT_UNKNOWN_CA;
  }

 private:
  void take_one() {
    const UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) return;
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context_.get()), SSL_free);
    SSL_set_fd(tls.get(), fd.get());
    char byte = 0;
    // In TLS 1.3 the client judges when the server's part is done.
    if (SSL_accept(tls.get()) == 1) SSL_read(tls.get(), &byte, 1);
    reason_ = ERR_GET_REASON(ERR_peek_error());
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  UniqueFd listener_;
  std::string address_;
  std::thread thread_;
  int reason_ = 0;
};

}  // namespace sluice::gateway
