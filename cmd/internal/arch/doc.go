// Package arch holds the tests that keep the project's shape: which package may import which, what
// no package may do, and which versions are pinned. It has no code of its own.
package arch
