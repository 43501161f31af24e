# SPDX-License-Identifier: MIT
# An apt with a state of its own, for an ordinary user: sourced by what fetches Debian's arm64
# packages. It asks the mirror that this machine's apt uses anyway, and touches nothing of that apt.
# $apt is the directory of the state.

# Debian's own archive among the sources of this machine: its URI and its codename.
host_archive() {
	apt-get indextargets --format '$(CREATED_BY)|$(LABEL)|$(REPO_URI)|$(CODENAME)' |
		sed -n 's/^Packages|Debian|//p' | grep -v -e -updates -e -backports | head -n 1
}

# own_apt COMMAND...: apt-get or apt-cache on that state
own_apt() {
	APT_CONFIG=$apt/apt.conf "$@"
}

# make_apt URI SUITE: nothing is installed as this apt sees it.
make_apt() {
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" && : >"$apt/status" || return 1
	cat >"$apt/apt.conf" <<-EOF
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "-";
		Dir::State::lists "$apt/lists";
		Dir::State::status "$apt/status";
		Dir::State::extended_states "$apt/extended_states";
		Dir::Cache "$apt/cache";
		APT::Architecture "arm64";
		APT::Architectures { "arm64"; };
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
	EOF
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -e $key ] && key="[signed-by=$key] " || key=
	echo "deb $key$1 $2 main" >"$apt/sources.list"
}
