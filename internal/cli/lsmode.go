package cli

import "golang.org/x/sys/unix"

// lsMode writes an st_mode as ls -l does.
func lsMode(mode uint32) string {
	types := map[uint32]byte{unix.S_IFREG: '-', unix.S_IFDIR: 'd', unix.S_IFLNK: 'l', unix.S_IFIFO: 'p', unix.S_IFSOCK: 's', unix.S_IFBLK: 'b', unix.S_IFCHR: 'c'}
	b := []byte("?rwxrwxrwx")
	if t, ok := types[mode&unix.S_IFMT]; ok {
		b[0] = t
	}
	for i := range 9 {
		if mode>>(8-i)&1 == 0 {
			b[1+i] = '-'
		}
	}
	for _, s := range []struct {
		bit uint32
		at  int
		set byte
	}{{unix.S_ISUID, 3, 's'}, {unix.S_ISGID, 6, 's'}, {unix.S_ISVTX, 9, 't'}} {
		if mode&s.bit == 0 {
			continue
		}
		if b[s.at] == '-' {
			s.set -= 'a' - 'A' // without x
		}
		b[s.at] = s.set
	}
	return string(b)
}
