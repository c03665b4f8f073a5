# ./dev package: the Debian package. Sourced by ./dev; `cmd_package` is the entry.
# Built on its own with Debian's hardening flags, so that what it says of fortified and position-independent programs is true.
# shellcheck shell=bash

package_build=build/package-tree

cmd_package() {
  local compiler_flags linker_flags deb
  install_packages build package
  SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
  export SOURCE_DATE_EPOCH
  compiler_flags=$(DEB_BUILD_MAINT_OPTIONS='hardening=+all' DEB_CXXFLAGS_STRIP='-g -O2' dpkg-buildflags --get CXXFLAGS)
  compiler_flags+=" $(dpkg-buildflags --get CPPFLAGS)"
  linker_flags=$(DEB_BUILD_MAINT_OPTIONS='hardening=+all' dpkg-buildflags --get LDFLAGS)
  # Warnings that only these flags bring are shown, they don't end the build.
  cmake -G Ninja -S . -B "$package_build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr -DSLUICE_TESTS=OFF -DSLUICE_MAN=ON \
    -DSLUICE_WERROR=OFF -DCMAKE_CXX_FLAGS="$compiler_flags" -DCMAKE_EXE_LINKER_FLAGS="$linker_flags" >&2
  cmake --build "$package_build" -j "$(nproc)" >&2
  rm -rf build/package
  (umask 022 && cpack --config "$package_build/CPackConfig.cmake" -B build/package >&2)
  rm -rf build/package/_CPack_Packages
  deb=$(echo build/package/sluice_*.deb)
  bash tests/package/contents.sh "$deb"
  say "dev: lintian"
  lintian --allow-root --fail-on error,warning --info --tag-display-limit 0 "$deb" >&2 || die "lintian has complaints: see above"
  say "dev: made $deb ($(du -h "$deb" | cut -f1))"
}

cmd_package_test() {
  cmd_package
  bash tests/package/install_test.sh "$(echo build/package/sluice_*.deb)"
  bash tests/package/systemd_test.sh "$(echo build/package/sluice_*.deb)"
}
