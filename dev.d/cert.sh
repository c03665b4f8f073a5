# ./dev cert: a certificate for this machine's own name, signed by a certification authority made for nothing else. Sourced by ./dev;
# `cmd_cert` is the entry.
# shellcheck shell=bash

cert_days=825 # what browsers take at most of a private authority

# cert_authority DIR: ca.pem and its key.
cert_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout "$1/ca.key" -out "$1/ca.pem" -days "$cert_days" \
    -subj '/CN=Sluice, this machine alone' -addext 'basicConstraints=critical,CA:true,pathlen:0' \
    -addext 'keyUsage=critical,keyCertSign,cRLSign'
}

# cert_server DIR: haproxy.pem, certificate and key in one file as HAProxy's `crt` wants them.
cert_server() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout "$1/server.key" -out "$1/server.csr" -subj '/CN=localhost'
  openssl x509 -req -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -out "$1/server.pem" -days "$cert_days" -set_serial \
    "0x$(openssl rand -hex 16)" -extfile <(printf '%s\n' 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1' \
      'basicConstraints=critical,CA:false' 'keyUsage=critical,digitalSignature' 'extendedKeyUsage=serverAuth')
  cat "$1/server.pem" "$1/server.key" >"$1/haproxy.pem.new"
  rm "$1/server.csr" "$1/server.key" "$1/server.pem"
  mv "$1/haproxy.pem.new" "$1/haproxy.pem"
}

# cert_good DIR: what is there fits together and holds for another week.
cert_good() {
  openssl verify -CAfile "$1/ca.pem" "$1/haproxy.pem" && openssl x509 -in "$1/haproxy.pem" -checkend 604800
} >/dev/null 2>&1

# make_cert DIR: nothing to do where a good one is there.
make_cert() {
  local log
  ! cert_good "$1" || return 0
  log=$(mktemp)
  (umask 077 && mkdir -p "$1" && cert_authority "$1" && cert_server "$1") >"$log" 2>&1 || {
    cat "$log" >&2
    rm -f "$log"
    die "openssl could not make a certificate in $1: see above"
  }
  rm -f "$log"
  chmod 644 "$1/ca.pem"
}

cmd_cert() {
  [[ $# -le 1 ]] || die "cert takes one directory at most: ./dev help"
  local directory=${1:-build/cert}
  install_packages cert
  make_cert "$directory"
  cat <<TEXT
$directory/haproxy.pem  certificate and key for localhost, 127.0.0.1 and ::1: HAProxy's \`crt\`, haproxy-tls.cfg's default
$directory/ca.pem       who signed it: clients must be told to trust it
$directory/ca.key       signs more of them: keep it to yourself, or delete it

  haproxy -f haproxy/haproxy-tls.cfg                    serves wss://localhost:8443
  curl --cacert $directory/ca.pem https://localhost:8443/
  NODE_EXTRA_CA_CERTS=$directory/ca.pem node client.mjs
  chromium --ignore-certificate-errors-spki-list=$(cert_pin "$directory") --user-data-dir=/tmp/sluice-chromium
TEXT
}

# cert_pin DIR: SHA-256 of the server's public key, by which Chromium can be told to take it.
cert_pin() {
  openssl x509 -in "$1/haproxy.pem" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64
}
