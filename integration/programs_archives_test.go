package integration

var archivePrograms = []program{
	{name: "gzip",
		prepare: "seq 1000 > a; chmod 640 a; touch -d 2001-02-03 a",
		command: "gzip a; zcat a.gz | tail -1; gunzip a.gz",
		check:   "stat -c '%a %y' a; ls", versions: "1, gone 1"},
	{name: "zip",
		prepare: "seq 1000 > a; seq 9 > b",
		command: "zip -q z.zip a; zip -q z.zip b; rm a b; unzip -q z.zip",
		check:   "tail -qn 1 a b; ls", versions: "up to 5"},
	{name: "zipfile",
		command:  `python3 -c 'import zipfile as z; [z.ZipFile("z.zip", "a").writestr(n, n) for n in "ab"]; print(z.ZipFile("z.zip").namelist())'`,
		versions: "2"},
	{name: "rclone copy",
		prepare: `cp -r "$src/errors" "$local"; touch -d 2001-02-03 "$local/errors/join.go"`,
		command: `rclone --config /dev/null -q copy "$local" .`,
		check:   `diff -r "$local" .; stat -c %y errors/join.go`, versions: "up to 2"},
	{name: "rclone sync",
		prepare: `cp -rp "$src/errors" "$local"; cp -rp "$local/errors" .; echo more >> "$local/errors/join.go"; rm "$local/errors/errors.go"`,
		command: `rclone --config /dev/null -q sync "$local" .`,
		check:   `diff -r "$local" .`, versions: "up to 2"},
}

var tarPrograms = []program{
	{name: "tar x",
		prepare: `tar -C "$src" -cf "$local/in.tar" encoding`,
		command: `tar -xf "$local/in.tar"`,
		check: `diff -r "$src/encoding" encoding
			find . -type f -printf '%p %m %T@\n' | sed -E 's/([0-9]+)[.][0-9]+$/\1/' | sort`,
		versions: "1"},
	{name: "tar c",
		prepare: `cp -r "$src/encoding" .`,
		command: `cd encoding; tar -cf ../out.tar .; tar -df ../out.tar`,
		check:   `tar -C "$local" -xf out.tar; diff -r "$src/encoding" "$local"`, versions: "1"},
	{name: "tar czf",
		prepare: `cp -r "$src/errors" .`,
		command: `tar -czf out.tgz errors; tar -tzf out.tgz | sort`, versions: "1"},
	{name: "tar --update",
		prepare: "mkdir d; touch -d 2001-02-03 d/a d/b; tar -cf d.tar d/a d/b; echo 1 > d/a",
		command: "tar -uf d.tar d/a d/b; tar -rf d.tar d/b",
		check:   "tar -tf d.tar", versions: "2"},
}

// manyFiles makes files of several sizes in $local. They are old: rsync sets no time that is right to
// the second already, and that would be a version less.
const manyFiles = `mkdir -p "$local/d/e"; for n in 0 1 1000 200000; do head -c $n /dev/urandom > "$local/d/e/$n"; done; chmod 755 "$local/d/e/1"; touch -d 2001-02-03 "$local"/d/e/*`

var rsyncPrograms = []program{
	{name: "rsync -a",
		prepare: manyFiles + `; ln -s d/e "$local/l"; touch -h -d 2001-02-03 "$local/l"`,
		command: `rsync -a "$local/" x`,
		check:   `diff -r --no-dereference "$local" x; rsync -ani "$local/" "$other/x" | grep -v '^.d' || true`, versions: "1, x/l 2, gone up to 12"},
	{name: "rsync of what changed",
		prepare: manyFiles + `; cp -rp "$local" x; echo changed >> "$local/d/e/200000"; touch -d 2002-02-03 "$local/d/e/200000"; rm "$local/d/e/1"`,
		command: `rsync -a --delete "$local/" "$other/x"`,
		check:   `diff -r "$local" "$other/x"`, versions: "1, gone up to 3"},
	{name: "rsync out of a mount",
		prepare: manyFiles + `; cp -rp "$local" x`,
		command: `rsync -a x "$local"`,
		check:   `diff -r x "$local/x"`, versions: "0"},
	{name: "rsync --inplace",
		prepare: manyFiles + `; cp -rp "$local" x; echo changed >> "$local/d/e/200000"; touch -d 2002-02-03 "$local/d/e/200000"`,
		command: `rsync -a --inplace "$local/" x`,
		check:   `diff -r "$local" x`, versions: "up to 2"},
	{name: "rsync --link-dest",
		prepare: manyFiles + `; cp -rp "$local" x`,
		command: `rsync -a --link-dest ../x x/ y`,
		check:   `diff -r x y`, versions: "1, gone up to 12"},
}
