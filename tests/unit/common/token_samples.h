// Keys and tokens for tests. The tokens were made by another implementation (Python's cryptography)
// and by the authors of RFC 7515 and RFC 8037; the private keys are for tests and nothing else.
#pragma once

namespace sluice::samples {

/// 64 bytes.
inline constexpr const char* kSecret =
    "sluice-test-secret-of-64-bytes-0123456789abcdefghijklmnopqrstuvw";
inline constexpr const char* kHs256Token =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.kA0JFPHkYguq_ZC-M5siZFv50kA"
    "86fU46_m26BeRyt0";
inline constexpr const char* kHs384Token =
    "eyJhbGciOiJIUzM4NCJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.85bScxtxeZf8yV4ipJqrYp23g5H"
    "Eri8CgAAXOtJIEvlJCnMuHOyz49EpqzkpJlma";
inline constexpr const char* kHs512Token =
    "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.97BhDlddK5ei4Y0f34Og1Jeqi3d"
    "V-0HFD0Opxe07MR-pE6KtHrtI_mVIk7BTAFNtL6p4OgaWeZgCbIb_1MaT_w";
inline constexpr const char* kRs256Token =
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.JeHWr-t_uZwYQwCtQOXL7xMv3M9"
    "GhCYhemfrAfW8GsdyxmQzv9fEMAcdgU1qau9L0vxJHxLytNdSpGMJHn9AR1KyhIm1vEi7yo4FzIQcXN2sY48v5lv"
    "ibKUA6uAginP0K4WGHXbWp0TcLwgXCXFBCEzMcNxYFE_-ropOheAPeaHpvK88IUgW9H2zGFCoM39RBe2uNg3oZnR"
    "XumHedV5Al4n1ZyF7jBHcH_4Wg2ooI43dLejaBUz9SOSdfskY7uJP9K89ZUKZ_parlQGyUZfGQJ3RSSDYiOoiseI"
    "awIcGRxzIpjijtjXrg6l6UwWrEymbIKmo8w4ucJI-Ga4ZA--A5w";
inline constexpr const char* kRs384Token =
    "eyJhbGciOiJSUzM4NCJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.UsGRkQNA_q8YX60DPTNGUlFc52-"
    "r8FXNbZebqtL2oeweTICdcXboEcRxGx348q8R8zJL68fG6rf_fN38Tndolg2GkbzxbOQOKb-OuOI4HFKrHEE44I0"
    "cPfE1UasYEz9RO7gC4q7Xa9GJ3Ftcox27QZI8b1DvzxS-rLpj9xfvw2mb1RkfAVWjCcA4iFWYjgGTkAl_vnnmCIn"
    "i_Xkmj2mjExCq-LOPV38H4AvteYmhlVC3SQ5Jn2cqomNJioNeLrqmrjCCxhBrY0rXBfW7qcsz9yRcpfKqs94Iner"
    "RHh53RkNfYq6kRvMrdCCI2Npim1pIrjjd-KzDOWIi8EpAsm-GYQ";
inline constexpr const char* kRs512Token =
    "eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.HVdl_UjKY2VRtvm-3mV-81BAdq_"
    "zGF_O0eXwmj8lB1Z0tk4qTjk4H1yhxPRkYpfAj_FJtvQRbemKcv-k9G-QWFQFwNMVr6Zr1wMZjp-24D7JQnZdB8p"
    "OELmJCV7Lowwexet7OmRpIKsIlS3P9m6hIV7_XJm0QPEq9mcMPYeKRznwdPbaDgezOwzGDleE6iHYubePuLo8LoC"
    "aVySBQkPs6OFLT1Dx-tD13arHwDSELRTioQsTl1AP7sXyzuForQMLZNTwtyxgoERrFpo4ppE2VTn10g_C8yx8v64"
    "y1bvRhAX40FApk9rwnfJgzsokJFCgboBVCiXdY9xr0StJVCzmpQ";
inline constexpr const char* kEs256Token =
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.nBcliGRMzpVVc56py3lni3mOeGv"
    "Qzz8t6aXbHKkAOH4crkbviM76aptK33p_yhO-hkWQZBbiS6DtFDt_UdvNaQ";
inline constexpr const char* kEs384Token =
    "eyJhbGciOiJFUzM4NCJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.iz1w_OzZmmrU9xgG5_ghqglERI2"
    "bPywN-W1LGmxyuVr_4WUpBPQPSkb29b6-kkOXETkkq-T-fYOUuwsjJDra3_TTAZ3hpMBeMTlq1PoUXAGHUPaW8FY"
    "hF0bR5TU18nwh";
inline constexpr const char* kEs512Token =
    "eyJhbGciOiJFUzUxMiJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.ASBYAPA_S9l1kVNy6M3gu7e7_8J"
    "xLKNYFJ4JIYmmsjqDgbU5QB3aQzjLsylWI2XIUnEeweflQkyiXGnzlOStA48mAF6C4iJU85ptomb0awde8a_iC1G"
    "qPsokP23aa97ny0xMdiVxXyONVya_O1vJR4aC0mXD_wBwalINA3pVqOQlCKC5";
inline constexpr const char* kEdDsaToken =
    "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.PvitCL-QnX0Z_Rz0mdyAubTGxnQ"
    "jbj9zs9ejOJfO-MzYIiyM6Ja4begAsEUw_qZYXqFLxk9Pc7D8VzFGTGfzCw";
inline constexpr const char* kRsaPrivate = R"(-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDhuMosU6zlgEho
SUTr7GaYbowRtCoMCI8Ip50LlFBtwMxlzh26+SYWX8LkbPaJgPDo9cp0MXuCdOmY
g7IGSk8Pt94eTxqNZROxpZCXo5FUsMRu2O0isBJJ3sBzYN/A82Q8mUR0npwgNia1
xx8ZnXiphdRQ0D8q7tu01yOv9PhosdZDXcc6qj7Zfw1ftTBcjmGuiJRguhenpzHF
SGCviOsLMqrhTsbJxMmHL3zt5ucLS+UTix1JUIp6j5P7fRXPJPfhIHxCXSDUoxXS
etjugr04QgTyYOb0qJkTQAoRuZGMFgMFvSglWIHeSv+TaAqJZYRufCh2DT+vMkvG
iFrOpzOnAgMBAAECgf9gkVuvIQSdSQeVZOJVvXKJqGfS2b2ID4ClvWvoeDsCxlW+
H6CJiUBU8Kux29N3Gg8HMn7QnuyFVyu4ANdfktx+To353CrwZC/d6BqZCehZyhpi
G1OuKGI8TryWkyZXO1x9F20MisII6gT4GdwqrAYBME4hZgIx+48Xsz3+mN5KAvKj
6ftHHYRP89zDDaJsYgCYg8RtfXTKh8V2sy9GshTEU9OgOuTGZhbNfLCGgb2Ad8lH
K40T8sP3PNDWSbxEyrbogMcfOEjtKWlZz/USdbkN5YG9aqes9a0AJuwVwMw22+Tl
cD7du+9WRO55N7ERbnzA8ranJXQzrIOPY+ZmagECgYEA+wGy4o4vXWpfW1KKldCR
pRroN1BQH4AOIoDKUqFXZKLIQ1spY0zaf7amsALNbA2uJJW66VakE7+XYa4wUQ+R
WvXMD4BDVbDJ5wLGwp5zBMLZCwl4u+AYEDy04mG8wwqFW9gksqx/AFyG0bQdDn9C
EbZzdb+eY3WmjQ2sGsYEZcMCgYEA5jZStg3oC5LtIrp/howzfMD9cQrQmQDmkkEu
OLt7Bv/GCztpeZavuJIwrULEiWfeOQvVCGAgn9m66Fj6oOJ4plgSu7fHTqHCCTZU
UMiIo833myackMgWGXWEpV+BHrgeP376whmU6icFJ8s1YD4Lw3qa/+3IY/ftR6Hi
6RxXiE0CgYEAn3Bjza8dfQwdiCe1Khay/RpLWR9l1ayEzfvbCIO9vIn+BXL5pj7i
J+/Aj9sn2zQRYuHNOXy0emrf4MdBn6vw28N4HHyPyPWkOl40HNmDHAoczfr1OvnM
rzuwdoA44/dh4IY6QVh6z6L2bGwpbNT/BbtMOgY+uNS5t61wng0cK/sCgYEA3mkV
N7XvvV7Ro3+yvPaut5RsRs5AAdIQ8LPwR/c5QOXTG/7mRAYE9rimNn4PCwFCfLKl
ulXEryrXnKp6WPzzuyHT13ASKjG1GNlYVEOpXzgaQ9bl5CqqzyXuZScDw/31mzq+
YM/+Qso3/N4iTz0ieFT3ctLzi0F4CICqjLRJDPECgYEA1zmPCxQbTsrDn9p01WNj
sQmw1Oyg1lbPOTpwasbJZUtIyjGLqZshjUhquSCUTYNiPvuSU7LpT8ukWOyDaxBZ
19Edm2k/vpbQbOrLcI10iSHjl2xkaFmi7f+8+2Q0VoQaGi+b7yFAtP4YaWNHFmTp
mu5V6gNvDKK93zqUrwAat4c=
-----END PRIVATE KEY-----
)";
inline constexpr const char* kRsaPublic = R"(-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA4bjKLFOs5YBIaElE6+xm
mG6MEbQqDAiPCKedC5RQbcDMZc4duvkmFl/C5Gz2iYDw6PXKdDF7gnTpmIOyBkpP
D7feHk8ajWUTsaWQl6ORVLDEbtjtIrASSd7Ac2DfwPNkPJlEdJ6cIDYmtccfGZ14
qYXUUNA/Ku7btNcjr/T4aLHWQ13HOqo+2X8NX7UwXI5hroiUYLoXp6cxxUhgr4jr
CzKq4U7GycTJhy987ebnC0vlE4sdSVCKeo+T+30VzyT34SB8Ql0g1KMV0nrY7oK9
OEIE8mDm9KiZE0AKEbmRjBYDBb0oJViB3kr/k2gKiWWEbnwodg0/rzJLxohazqcz
pwIDAQAB
-----END PUBLIC KEY-----
)";
inline constexpr const char* kRsaCertificate = R"(-----BEGIN CERTIFICATE-----
MIIDBTCCAe2gAwIBAgIUE2NKlA1Nh6mvj48HXeDsVreSpj8wDQYJKoZIhvcNAQEL
BQAwETEPMA0GA1UEAwwGdG9rZW5zMCAXDTI2MTEzMDE3NTcyMloYDzIxMjYxMTA2
MTc1NzIyWjARMQ8wDQYDVQQDDAZ0b2tlbnMwggEiMA0GCSqGSIb3DQEBAQUAA4IB
DwAwggEKAoIBAQDhuMosU6zlgEhoSUTr7GaYbowRtCoMCI8Ip50LlFBtwMxlzh26
+SYWX8LkbPaJgPDo9cp0MXuCdOmYg7IGSk8Pt94eTxqNZROxpZCXo5FUsMRu2O0i
sBJJ3sBzYN/A82Q8mUR0npwgNia1xx8ZnXiphdRQ0D8q7tu01yOv9PhosdZDXcc6
qj7Zfw1ftTBcjmGuiJRguhenpzHFSGCviOsLMqrhTsbJxMmHL3zt5ucLS+UTix1J
UIp6j5P7fRXPJPfhIHxCXSDUoxXSetjugr04QgTyYOb0qJkTQAoRuZGMFgMFvSgl
WIHeSv+TaAqJZYRufCh2DT+vMkvGiFrOpzOnAgMBAAGjUzBRMB0GA1UdDgQWBBSU
q6cY29l5ibgsPP/e19O1rtGPqzAfBgNVHSMEGDAWgBSUq6cY29l5ibgsPP/e19O1
rtGPqzAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQBpM3/d0DSD
7LE0ILBX2OuilN40zMkjtD5quP7Igk6bzmVSnOa6EbZglU8yHe5qLNkMdoldSgJa
G8ZPxFEq1SZtwkZtOMezIq0KX8A1mShzLOQUcX3svUs6bgJaF/aS0dZhCL1Wglux
fMlX4UrMPpfSH8FXL8ILKq0i51GP353wNxNylxaDN1XH2NYIKm4Aw8mQ6GBWQkQV
vzS32LaZ6M5n/0PYSN1UrXVnKp+ib625dUg1w2d8xSCYsT8lRp2JcRopiqIDTxHZ
OrLR9WchoUA8HkeUNKpSow7hg1DzLiyGwIY3BRyE6Ts5DMqQQJn4yVVzvE+y8zag
vEWhdNUfAx0s
-----END CERTIFICATE-----
)";
inline constexpr const char* kSmallRsaPublic = R"(-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCkfgGU4//Y0yOgXOYq7HsJUxMn
YrxwrwfYg1/FOYeKo2or1vGDMcgcD44tqfvoiKZTCRzZGAANgKwA8xTY1Fqn3zI8
Fnu1txEAHwVaOCjJBT3qy041IMiqJoMHdzMe98xIUhVhpKaXSg6fW436WT+jQP8N
bk4TS9r4XJJkAIfxkwIDAQAB
-----END PUBLIC KEY-----
)";
inline constexpr const char* kP256Private = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2VwrVIRe25JK7WTZ
5VvOqXSws+XiaI/aSPCWYPZ5+N6hRANCAAStcofQ8Qzn2CkTEUphrH+vFqhuPjLo
Whqp60DMCwyvd8+yK/C+M0Sm6JFi9/VkXQa/dKfeft+S1KChBisJaNhy
-----END PRIVATE KEY-----
)";
inline constexpr const char* kP256Public = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErXKH0PEM59gpExFKYax/rxaobj4y
6FoaqetAzAsMr3fPsivwvjNEpuiRYvf1ZF0Gv3Sn3n7fktSgoQYrCWjYcg==
-----END PUBLIC KEY-----
)";
inline constexpr const char* kP384Private = R"(-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAadnQ6PeIc66ZkHi8K
y1CiUkRidGxUqxMhNV+Ft38zLqdFohZmjpB9YSiwiL9D54mhZANiAAR+y28QvKSR
rjd8wcOyzGE0nBqBsNk9XA9OyQn8LF752guA6mZlQuGKygidbzjP61JESHNY754s
bEAJfiNWIMAyyeCFw5rklsJylI2pt6xw3+qk/7pRaNRGLUfBxTUuAZ8=
-----END PRIVATE KEY-----
)";
inline constexpr const char* kP384Public = R"(-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEfstvELykka43fMHDssxhNJwagbDZPVwP
TskJ/Cxe+doLgOpmZULhisoInW84z+tSREhzWO+eLGxACX4jViDAMsnghcOa5JbC
cpSNqbescN/qpP+6UWjURi1HwcU1LgGf
-----END PUBLIC KEY-----
)";
inline constexpr const char* kP521Private = R"(-----BEGIN PRIVATE KEY-----
MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIB3v6XzyD53YuNtGFp
Rssf3Ml/S1g7TW2I5LcCKH7R3DKHL7Yu6Y0TXJXW+LSOrHafucFL7O00sIgr3phr
jASDFKWhgYkDgYYABAA/YFRXknth9obhVjgCU1GKQk9Qqw0/V3o/nD7yC7k/Rz/r
7AErG3GcsFfT56bj67o9Z+5ciGnzghzskSZVlt5vHwHswNYR2U3H37Hp8hYvnfbJ
H2v6bFOV9y+PgWIvhESV6Thg/pnAdfOfYR7DO5gbK0mHsLMtUINSgVfnp9WyUb9K
Gg==
-----END PRIVATE KEY-----
)";
inline constexpr const char* kP521Public = R"(-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAP2BUV5J7YfaG4VY4AlNRikJPUKsN
P1d6P5w+8gu5P0c/6+wBKxtxnLBX0+em4+u6PWfuXIhp84Ic7JEmVZbebx8B7MDW
EdlNx9+x6fIWL532yR9r+mxTlfcvj4FiL4RElek4YP6ZwHXzn2EewzuYGytJh7Cz
LVCDUoFX56fVslG/Sho=
-----END PUBLIC KEY-----
)";
inline constexpr const char* kEd25519Private = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
)";
inline constexpr const char* kEd25519Public = R"(-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
)";
inline constexpr const char* kX25519Public = R"(-----BEGIN PUBLIC KEY-----
MCowBQYDK2VuAyEA+KJmfvtq/DcyDEWz0QAAKWeMmiWCdbaXmNHk9sS3lXE=
-----END PUBLIC KEY-----
)";
inline constexpr const char* kSecp256k1Public = R"(-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEvekE3Nccf/2XCF9wNSh+8zCpbjvrSm1y
diu3z0uKyMHQIea+NXkpa4lcV9z38B4AIGd+jF2dhCOdcGrv/77aOA==
-----END PUBLIC KEY-----
)";
inline constexpr const char* kLockedPrivate = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiNKCgRcl8fswICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEP8eiE/HFCLRlTYE1eLG48EEgZCX
DUMVYBGarY0+H3g7CDPD1JFSzdlG/ZfciLE0q/N0tNG8M4DVhZ9zewtGyuYMBWbT
kd8egk8keubdoMP9AH/TY7YpyIED6xt9PsP61t4aABrnkAjHGy4+P4Hd386zTpoS
BeGTuPTFE2SxQrqxQlhd/L8RSEee9Pmy9tZUsZ293zkaDBzYAfxNVwuV+GV8N2Q=
-----END ENCRYPTED PRIVATE KEY-----
)";
/// One key of each algorithm, its name as kid, and three that are for nothing that we do.
inline constexpr const char* kJwks = R"({"keys":[
{"kty": "RSA", "kid": "RS256", "alg": "RS256", "use": "sig", "n": "4bjKLFOs5YBIaElE6-xmmG6MEbQqDAiPCKedC5RQbcDMZc4duvkmFl_C5Gz2iYDw6PXKdDF7gnTpmIOyBkpPD7feHk8ajWUTsaWQl6ORVLDEbtjtIrASSd7Ac2DfwPNkPJlEdJ6cIDYmtccfGZ14qYXUUNA_Ku7btNcjr_T4aLHWQ13HOqo-2X8NX7UwXI5hroiUYLoXp6cxxUhgr4jrCzKq4U7GycTJhy987ebnC0vlE4sdSVCKeo-T-30VzyT34SB8Ql0g1KMV0nrY7oK9OEIE8mDm9KiZE0AKEbmRjBYDBb0oJViB3kr_k2gKiWWEbnwodg0_rzJLxohazqczpw", "e": "AQAB"},
{"kty": "RSA", "kid": "RS384", "alg": "RS384", "use": "sig", "n": "4bjKLFOs5YBIaElE6-xmmG6MEbQqDAiPCKedC5RQbcDMZc4duvkmFl_C5Gz2iYDw6PXKdDF7gnTpmIOyBkpPD7feHk8ajWUTsaWQl6ORVLDEbtjtIrASSd7Ac2DfwPNkPJlEdJ6cIDYmtccfGZ14qYXUUNA_Ku7btNcjr_T4aLHWQ13HOqo-2X8NX7UwXI5hroiUYLoXp6cxxUhgr4jrCzKq4U7GycTJhy987ebnC0vlE4sdSVCKeo-T-30VzyT34SB8Ql0g1KMV0nrY7oK9OEIE8mDm9KiZE0AKEbmRjBYDBb0oJViB3kr_k2gKiWWEbnwodg0_rzJLxohazqczpw", "e": "AQAB"},
{"kty": "RSA", "kid": "RS512", "alg": "RS512", "use": "sig", "n": "4bjKLFOs5YBIaElE6-xmmG6MEbQqDAiPCKedC5RQbcDMZc4duvkmFl_C5Gz2iYDw6PXKdDF7gnTpmIOyBkpPD7feHk8ajWUTsaWQl6ORVLDEbtjtIrASSd7Ac2DfwPNkPJlEdJ6cIDYmtccfGZ14qYXUUNA_Ku7btNcjr_T4aLHWQ13HOqo-2X8NX7UwXI5hroiUYLoXp6cxxUhgr4jrCzKq4U7GycTJhy987ebnC0vlE4sdSVCKeo-T-30VzyT34SB8Ql0g1KMV0nrY7oK9OEIE8mDm9KiZE0AKEbmRjBYDBb0oJViB3kr_k2gKiWWEbnwodg0_rzJLxohazqczpw", "e": "AQAB"},
{"kty": "EC", "kid": "ES256", "crv": "P-256", "x": "rXKH0PEM59gpExFKYax_rxaobj4y6FoaqetAzAsMr3c", "y": "z7Ir8L4zRKbokWL39WRdBr90p95-35LUoKEGKwlo2HI"},
{"kty": "EC", "kid": "ES384", "crv": "P-384", "x": "fstvELykka43fMHDssxhNJwagbDZPVwPTskJ_Cxe-doLgOpmZULhisoInW84z-tS", "y": "REhzWO-eLGxACX4jViDAMsnghcOa5JbCcpSNqbescN_qpP-6UWjURi1HwcU1LgGf"},
{"kty": "EC", "kid": "ES512", "crv": "P-521", "x": "AD9gVFeSe2H2huFWOAJTUYpCT1CrDT9Xej-cPvILuT9HP-vsASsbcZywV9PnpuPruj1n7lyIafOCHOyRJlWW3m8f", "y": "AezA1hHZTcffsenyFi-d9skfa_psU5X3L4-BYi-ERJXpOGD-mcB1859hHsM7mBsrSYewsy1Qg1KBV-en1bJRv0oa"},
{"kty": "OKP", "kid": "EdDSA", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
{"kty": "oct", "kid": "HS256", "alg": "HS256", "k": "c2x1aWNlLXRlc3Qtc2VjcmV0LW9mLTY0LWJ5dGVzLTAxMjM0NTY3ODlhYmNkZWZnaGlqa2xtbm9wcXJzdHV2dw"},
{"kty": "oct", "kid": "HS384", "alg": "HS384", "k": "c2x1aWNlLXRlc3Qtc2VjcmV0LW9mLTY0LWJ5dGVzLTAxMjM0NTY3ODlhYmNkZWZnaGlqa2xtbm9wcXJzdHV2dw"},
{"kty": "oct", "kid": "HS512", "alg": "HS512", "k": "c2x1aWNlLXRlc3Qtc2VjcmV0LW9mLTY0LWJ5dGVzLTAxMjM0NTY3ODlhYmNkZWZnaGlqa2xtbm9wcXJzdHV2dw"},
{"kty": "RSA", "kid": "x", "alg": "RSA-OAEP", "use": "enc", "n": "4bjKLFOs5YBIaElE6-xmmG6MEbQqDAiPCKedC5RQbcDMZc4duvkmFl_C5Gz2iYDw6PXKdDF7gnTpmIOyBkpPD7feHk8ajWUTsaWQl6ORVLDEbtjtIrASSd7Ac2DfwPNkPJlEdJ6cIDYmtccfGZ14qYXUUNA_Ku7btNcjr_T4aLHWQ13HOqo-2X8NX7UwXI5hroiUYLoXp6cxxUhgr4jrCzKq4U7GycTJhy987ebnC0vlE4sdSVCKeo-T-30VzyT34SB8Ql0g1KMV0nrY7oK9OEIE8mDm9KiZE0AKEbmRjBYDBb0oJViB3kr_k2gKiWWEbnwodg0_rzJLxohazqczpw", "e": "AQAB"},
{"kty": "FUTURE", "kid": "y", "alg": "ES256"},
{"kty": "EC", "kid": "z", "crv": "P-256", "key_ops": ["deriveKey"], "x": "AA", "y": "AA"}
]})";
/// As above, with a kid.
inline constexpr const char* kHs256NamedToken =
    "eyJhbGciOiJIUzI1NiIsImtpZCI6IkhTMjU2In0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.W771RmRN"
    "-Jj4ssGdb69Tx0FCPcoO1YDL1gbf079Xlv8";
inline constexpr const char* kHs384NamedToken =
    "eyJhbGciOiJIUzM4NCIsImtpZCI6IkhTMzg0In0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.J7iyg87p"
    "_jH5L_qN_zY7WDgRHn2WghZ7FMfTckoxLWHmGYhVG2SH6FEBt4omslH8";
inline constexpr const char* kHs512NamedToken =
    "eyJhbGciOiJIUzUxMiIsImtpZCI6IkhTNTEyIn0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.ZumWZ30b"
    "231GWi98JwvWd_nb-J2J9MN351B5DTStw_hly_36A6-2ftQsl5i60BfeSoYFTV_fZnrn2CI5OVStJA";
inline constexpr const char* kRs256NamedToken =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6IlJTMjU2In0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.gFINtoDD"
    "GqZwWbOUi20FDfrl0YTfqSd6LkanNf8gT-xzSVFRd0tWCaQmU5j0Crmgz0B17Yd7XOS9O6p9QT4evkm7gKWCdT8A"
    "5JFh6TJZTewkbgQswev3GccwgZUN4cYuTI47fjZfwgZB1QX_an3xjHeginnsHNyKtUAKwmLtc-Z-qVfXIPYiq__4"
    "W27eE6Ds6Pcuab1-xHzODLhlkI3-8TGaSDVEOGBnti1rEcvv5-Qiea9Am-cAobrh8WKmJfNiEYMrQxa6uxH0IpPm"
    "6F1qDCc0NYbUlp3YYClt42Ncx8EYBWkTZGb2tuSESYKoFKtTfsUmApwEQQPDnNAHP3-QJw";
inline constexpr const char* kRs384NamedToken =
    "eyJhbGciOiJSUzM4NCIsImtpZCI6IlJTMzg0In0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.iKSOfM62"
    "rgnrtnuhnwjWgqz4O2bbf_oQGazp-PQ4Aovjkr78fd0nLNMwPMmBOVEQqDPw1Y2bOGejPUmXy1-6Se_b7xzwPsO3"
    "2LPuxHNxaS2vSMqN9mtqujig2lAanteDE6Bf8KBbr9zNf6WGrnnr3Vr-Ib9C-NMRwelBuFfYDDVeFaIi1C8BC3rY"
    "gH0n2P3ON5JFYrA--TYBLIl8nGuv6R0V7GuSOAdR31b1co1L_xkThX3vQZsRWpF-x3K0Qw3rGvM9TzW1WTotCBep"
    "0XPmRY4e3ifsq_E6WlUtzMCP2PEND-fmDeTqI2dzJ_3jLcLoeLgkSOEbkb6zISsp_wEmtg";
inline constexpr const char* kRs512NamedToken =
    "eyJhbGciOiJSUzUxMiIsImtpZCI6IlJTNTEyIn0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.H7cs40dy"
    "81g5rDtI0ZBLzXyu65JOkz_lO2CgFfLZf8zVj3Dvor_DZtXzWV0mSws-YCaB-EzqMyCqvMkHEaQLkbcsyl-6RKTv"
    "L2QFw-WXq7LaHZF3NeoJ2VtYCeJm5FTprj0HKs_PgGSFXnVz_zYX1dc7aUrp3FAvOtnAvtE9o3u7_gl0lBqTZf3D"
    "pqBC51EW_SImezT5xY3RmfckkPgyGHaDCnJzdxHu_slJWTZhaRItNkSqBIFHQF4GNlo7gVqJqAgSfuyvOXTvM8xx"
    "8Fe4_ThwC-PQ-mev8ruqnU3Bl1lIjzXXEi3rlw6jWI8mgmmekses-YwFO3nUDX2JCCcA_w";
inline constexpr const char* kEs256NamedToken =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6IkVTMjU2In0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.YEmIQ_SN"
    "8jpeCOy7M_GG0OUgp-bGZ1I7JjMSfKuhpXYFG23YXli3ul80QDCU-L9Dn-nXPPH-vlyTDfJSalHFcg";
inline constexpr const char* kEs384NamedToken =
    "eyJhbGciOiJFUzM4NCIsImtpZCI6IkVTMzg0In0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.WVasDFpQ"
    "H-kTdCa7ZwFqxwXNmvLH38JdXJivWFjt-iEgT3bWE9gzwQDizZ-DvZnGJoEshzw5-k1pbLDPbljS_-IqgH3CpRf6"
    "cj_6-sr_wELKX9hu7dS_Ip51HQ2Xv_oa";
inline constexpr const char* kEs512NamedToken =
    "eyJhbGciOiJFUzUxMiIsImtpZCI6IkVTNTEyIn0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.AIRgvO9k"
    "9SC8ZDW6kPwEGQYfRKUsRyH7g21s6naw-nfzQcLni1mGtnqYqR75NdjwXpcOyVWPyVwYTuqwUygpWeAeAJ7HX0a-"
    "tK9qSf-AykUvklgkDMhaO03KC542xyE1V5qIEOgB7-f9DcmDxkQflzWv9BAV0G4epGF-gkZUhbftYbC1";
inline constexpr const char* kEdDsaNamedToken =
    "eyJhbGciOiJFZERTQSIsImtpZCI6IkVkRFNBIn0.eyJzdWIiOiI0MiIsImV4cCI6MjAwMDAwMDAwMH0.kcAK-t0x"
    "v0lQeZOfJ5mEdNXTZt7j2sQH6Ak2LmvlykNMqOAWFzZDKkLPxOk1ybnUEbiwNHLkhp6KWXVbOjsFBg";

// RFC 7515 appendix A.1 to A.3: exp is 1300819380, iss is joe.
inline constexpr const char* kRfc7515HsToken =
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQo"
    "gImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOE"
    "jXk";
inline constexpr const char* kRfc7515RsToken =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx"
    "lLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5R"
    "Zmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrn"
    "byTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHW"
    "EsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig"
    "cN_IoypGlUPQGe77Rw";
inline constexpr const char* kRfc7515EsToken =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx"
    "lLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8I"
    "SlSApmWQxfKTUJqPP3-Kg6NU1Q";
inline constexpr const char* kRfc7515Jwks = R"({"keys":[
{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"},
{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
]})";

// RFC 8037 appendix A: the public key, what was signed, and the signature (A.2, A.4).
inline constexpr const char* kRfc8037X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
inline constexpr const char* kRfc8037Signed =
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
inline constexpr const char* kRfc8037Signature =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

}  // namespace sluice::samples
