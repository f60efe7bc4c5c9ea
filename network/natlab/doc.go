// Package natlab holds the tests that compare the NATs of package nat with those of the Linux
// kernel: one and the same probe looks at both. It has no code of its own. The tests need Linux,
// root, and the commands ip (iproute2) and nft (nftables):
//
//	go test -tags natlab ./network/natlab/
package natlab
