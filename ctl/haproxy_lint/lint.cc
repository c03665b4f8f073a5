#include "ctl/haproxy_lint/lint.h"

#include <algorithm>
#include <array>

namespace sluice::ctl {
namespace {

/// Servers named in one message.
constexpr std::size_t kNamesMax = 6;

constexpr std::array kRules = {
    Rule{"timeout-tunnel", Scope::kBack, timeout_tunnel},
    Rule{"timeout-client", Scope::kFront, timeout_client},
    Rule{"timeout-server", Scope::kBack, timeout_server},
    Rule{"timeout-connect", Scope::kBack, timeout_connect},
    Rule{"timeout-http-request", Scope::kFront, timeout_http_request},
    Rule{"timeout-queue", Scope::kBack, timeout_queue},
    Rule{"timeout-server-fin", Scope::kBack, timeout_server_fin},
    Rule{"no-check", Scope::kBack, no_check},
    Rule{"check-traffic-port", Scope::kBack, check_traffic_port},
    Rule{"check-unix-port", Scope::kBack, check_unix_port},
    Rule{"check-send-proxy", Scope::kBack, check_send_proxy},
    Rule{"check-tcp-only", Scope::kBack, check_tcp_only},
    Rule{"check-slow", Scope::kBack, check_slow},
    Rule{"disable-on-404", Scope::kBack, disable_on_404},
    Rule{"shutdown-sessions", Scope::kBack, shutdown_sessions},
    Rule{"agent-addr", Scope::kBack, agent_addr},
    Rule{"redispatch", Scope::kBack, redispatch},
    Rule{"retry-on", Scope::kBack, retry_on},
    Rule{"retries-zero", Scope::kBack, retries_zero},
    Rule{"mode-tcp", Scope::kBack, mode_tcp},
    Rule{"upgrade-header", Scope::kFront, upgrade_header},
    Rule{"upgrade-header", Scope::kBack, upgrade_header},
    Rule{"balance", Scope::kBack, balance},
    Rule{"slowstart", Scope::kBack, slowstart},
    Rule{"global-maxconn", Scope::kGlobal, global_maxconn},
    Rule{"frontend-maxconn", Scope::kFront, frontend_maxconn},
    Rule{"nat-limit", Scope::kFront, nat_limit},
    Rule{"nat-limit", Scope::kBack, nat_limit},
    Rule{"no-log", Scope::kFront, no_log},
    Rule{"log-format", Scope::kFront, log_format},
    Rule{"stats-socket", Scope::kGlobal, stats_socket},
    Rule{"hard-stop-missing", Scope::kGlobal, hard_stop_missing},
    Rule{"hard-stop-cut", Scope::kGlobal, hard_stop_cut},
    Rule{"server-name", Scope::kBack, server_name},
    Rule{"server-name-stale", Scope::kBack, server_name_stale},
    Rule{"client-address", Scope::kBack, client_address},
    Rule{"proxy-mismatch", Scope::kBack, proxy_mismatch},
};

bool concerns(const Rule& rule, const Proxy& proxy) {
  return proxy.judged && ((rule.scope == Scope::kFront && proxy.front()) ||
                          (rule.scope == Scope::kBack && proxy.back()));
}

void judge(const Rule& rule, const Subject& subject, std::vector<Finding>& findings) {
  if (Verdict verdict = rule.judge(subject)) {
    findings.push_back(
        {verdict->line, rule.id, std::move(verdict->message), std::move(verdict->fix)});
  }
}

/// The same rule on the same line; of what HAProxy says, the same words.
bool known(const std::vector<Finding>& sorted, const Finding& finding) {
  for (auto other = sorted.rbegin(); other != sorted.rend() && other->line == finding.line;
       ++other) {
    const bool words_count = finding.rule == "haproxy" || finding.rule == "syntax";
    if (other->rule == finding.rule && (!words_count || other->message == finding.message))
      return true;
  }
  return false;
}

void explain_skipped(const HaproxySetup& setup, const LintOptions& options, LintResult& result) {
  if (result.judged == 0)
    result.skipped.emplace_back("no frontend or backend here looks as if it carried WebSockets");
  const HaproxyLine* stop = setup.global.last({"hard-stop-after"});
  if (result.judged > 0 && stop != nullptr && !options.max_connection_age) {
    result.skipped.emplace_back(
        "hard-stop-after against the gateways' --max-connection-age: say theirs with "
        "--max-connection-age T (or off)");
  }
}

}  // namespace

std::string names_of(const std::vector<const Server*>& servers) {
  std::string text;
  const std::size_t shown = std::min(servers.size(), kNamesMax);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) text += i + 1 == servers.size() ? " and " : ", ";
    text.append("'").append(servers[i]->name).append("'");
  }
  if (shown < servers.size()) text += " and " + std::to_string(servers.size() - shown) + " more";
  return text;
}

Result<LintResult> lint(const HaproxyConfig& config, const LintOptions& options,
                        const std::vector<std::string>& only) {
  const auto built = build_setup(config, only);
  if (!built) return tl::make_unexpected(built.error());
  const HaproxySetup& setup = *built;
  LintResult result;
  result.judged = static_cast<std::size_t>(std::count_if(
      setup.proxies.begin(), setup.proxies.end(), [](const Proxy& proxy) { return proxy.judged; }));
  for (const Rule& rule : kRules) {
    if (rule.scope == Scope::kGlobal && result.judged > 0)
      judge(rule, {setup, nullptr, options}, result.findings);
    for (const Proxy& proxy : setup.proxies) {
      if (concerns(rule, proxy)) judge(rule, {setup, &proxy, options}, result.findings);
    }
  }
  for (const HaproxyFault& fault : config.faults)
    result.findings.push_back({fault.line, "syntax", fault.problem + ": HAProxy does not start",
                               "see the configuration manual, 2.2 to 2.4"});
  sort_findings(result.findings);
  explain_skipped(setup, options, result);
  return result;
}

void sort_findings(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.line < b.line; });
  // A line of defaults is judged once for each proxy that inherits it.
  std::vector<Finding> kept;
  for (Finding& finding : findings) {
    if (!known(kept, finding)) kept.push_back(std::move(finding));
  }
  findings = std::move(kept);
}

std::vector<std::string> rule_ids() {
  std::vector<std::string> ids;
  for (const Rule& rule : kRules) {
    if (std::find(ids.begin(), ids.end(), rule.id) == ids.end()) ids.emplace_back(rule.id);
  }
  return ids;
}

}  // namespace sluice::ctl
