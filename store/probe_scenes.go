package store

import "maps"

// What is wrong with the answers to a condition that does not hold, in the words of findings.
const (
	present = "If-None-Match where an object is"
	holding = "an If-Match that holds"
	stale   = "an If-Match that does not hold"
)

// scenes are what a probe without racers plays, by name.
func (p *prober) scenes() map[string]func(*scene) {
	all := map[string]func(*scene){"put": (*scene).playPut, "reads": (*scene).playReads, "delete": (*scene).playDelete,
		"copy": (*scene).playCopy, "upload": (*scene).playUpload}
	shows := map[string]Flaws{"put": PutConditions | AbortHarms, "reads": WrongReads | WrongHistory, "delete": PutConditions | DeleteConditions,
		"copy": CopyConditions, "upload": CompleteConditions | PartSource}
	maps.DeleteFunc(all, func(name string, _ func(*scene)) bool { return !p.wants(shows[name]) })
	return all
}

// create writes a new object; the ETag is empty if that failed.
func (s *scene) create(text string) Info {
	return s.granted(ifNone, text, "If-None-Match where nothing is")
}

// granted writes under a condition that holds.
func (s *scene) granted(cond Condition, text, what string) Info {
	i, err := s.put(single, cond, text)
	s.grants(PutConditions, "Put", what, err)
	return i
}

// refused writes under a condition that does not hold.
func (s *scene) refused(cond Condition, what string) {
	_, err := s.put(repeated, cond, content())
	s.refuses(PutConditions, "Put", what, err)
}

// playPut writes two versions of an object, and aborts an upload beside them.
func (s *scene) playPut() {
	var first, second Info
	var upload string
	together(func() { first = s.create(content()) }, func() {
		if s.wants(AbortHarms) {
			upload, _ = s.createUpload()
		}
	})
	if s.over() || first.ETag == "" {
		return
	}
	together(
		func() { second = s.granted(ifMatch(first), content(), holding) },
		func() { s.refused(ifNone, present) },
		func() {
			if upload != "" {
				s.uploadPart(upload, content())
			}
		})
	if s.over() || second.ETag == "" {
		return
	}
	s.refused(ifMatch(first), stale)
	if s.over() || upload == "" {
		return
	}
	if s.read("AbortUpload", s.abort(upload)); s.over() {
		return
	}
	now, _, err := s.get(GetRequest{})
	if got := s.read("Get", err); got == no || got == yes && now.ETag != second.ETag && !s.flaws(false).Has(PutConditions) {
		s.note(sight{flaw: AbortHarms, sentence: "AbortMultipartUpload changes the object"})
	}
}

// playReads reads a part of an older version; where no versions are kept, of the object.
func (s *scene) playReads() {
	text := content()
	read := s.create(text)
	if s.over() || read.ETag == "" {
		return
	}
	in := GetRequest{Version: read.VersionID, IfMatch: read.ETag, Range: &Range{Offset: 11, Length: 7}}
	if s.o.Versioned {
		if s.granted(ifMatch(read), content(), holding).ETag == "" {
			return
		}
		s.inOrder()
	} else {
		_, _, err := s.get(GetRequest{IfMatch: noEtag})
		s.refuses(WrongReads, "Get", stale, err)
	}
	_, got, err := s.get(in)
	switch s.read("Get", err) {
	case no, strange:
		s.note(sight{flaw: WrongReads, sentence: "GetObject does not take a range of a version and If-Match"})
	case yes:
		if got != text[11:18] {
			s.note(sight{flaw: WrongReads, sentence: "GetObject gives other bytes than the range of a version"})
		}
	}
}

// playDelete removes an object, and writes where it was.
func (s *scene) playDelete() {
	made := s.create(content())
	if s.over() || made.ETag == "" {
		return
	}
	gone := s.refuses(DeleteConditions, "Delete", stale, s.delete(noEtag))
	if gone == no && s.grants(DeleteConditions, "Delete", holding, s.delete(made.ETag)) {
		gone = yes
	}
	if gone != yes {
		return
	}
	together(
		func() { s.refused(ifMatch(made), "an If-Match of what was deleted") },
		func() { s.granted(ifNone, content(), "If-None-Match where an object was deleted") })
	if !s.flaws(false).Has(PutConditions | DeleteConditions) {
		s.inOrder()
	}
}

// playCopy copies an object onto itself and to another name.
func (s *scene) playCopy() {
	text := content()
	from := s.create(text)
	if s.over() || from.ETag == "" {
		return
	}
	self := func(c Condition) CopyRequest {
		return CopyRequest{Key: s.key, Cond: c, Source: s.key, Version: from.VersionID, IfMatch: from.ETag,
			Props: Props{Meta: map[string]string{"latchfs-probe": "copied"}}}
	}
	other := self(Condition{})
	other.Key, other.IfMatch = s.key+"-other", noEtag
	refused := func(in CopyRequest, what string) {
		_, err := s.copy(repeated, in)
		s.refuses(CopyConditions, "Copy", what, err)
	}
	together(
		func() { refused(self(ifNone), present) },
		func() { refused(self(ifStale), stale) },
		func() { refused(other, "a condition on the source") })
	if s.over() {
		return
	}
	made, err := s.copy(single, self(ifMatch(from)))
	if !s.grants(CopyConditions, "Copy", holding, err) {
		return
	}
	now, got, err := s.get(GetRequest{})
	if s.read("Get", err) == yes && (got != text || now.Props.Meta["latchfs-probe"] != "copied" || now.VersionID != made.VersionID) {
		s.note(sight{flaw: CopyConditions, sentence: "CopyObject makes another version than it answers"})
	}
}

// playUpload begins two uploads over an object, one of which is completed in the end.
func (s *scene) playUpload() {
	text := content()
	var over Info
	var uploads [2]string
	var parts [2]Part
	begin := func(n int) {
		var err error
		uploads[n], err = s.createUpload()
		s.grants(CompleteConditions|PartSource, "CreateUpload", "any upload", err)
	}
	together(func() { over = s.create(text) }, func() { begin(0) }, func() { begin(1) })
	if s.over() || over.ETag == "" || uploads[0] == "" || uploads[1] == "" {
		return
	}
	send := func(n int) {
		var err error
		parts[n], err = s.uploadPart(uploads[n], text)
		s.grants(CompleteConditions, "UploadPart", "any part", err)
	}
	together(func() { send(0) }, func() { send(1) },
		func() {
			s.grants(PartSource, "CopyPart", "a condition on the source that holds", s.copyPart(uploads[1], 2, over, over.ETag))
		},
		func() {
			s.refuses(PartSource, "CopyPart", "a condition on the source", s.copyPart(uploads[1], 3, over, noEtag))
		})
	if s.over() || parts[0].ETag == "" || parts[1].ETag == "" {
		return
	}
	complete := func(n int, cond Condition) error {
		_, err := s.complete(CompleteRequest{Key: s.key, Upload: uploads[n], Cond: cond, Parts: parts[n : n+1], Size: int64(len(text))})
		return err
	}
	var first reply
	together(
		func() { first = s.refuses(CompleteConditions, "CompleteUpload", stale, complete(0, ifStale)) },
		func() { s.refuses(CompleteConditions, "CompleteUpload", present, complete(1, ifNone)) })
	if s.over() || first != no {
		return
	}
	if err := complete(0, ifMatch(over)); codeOf(err) != "NoSuchUpload" { // a refusal may have ended it
		s.grants(CompleteConditions, "CompleteUpload", holding, err)
	}
}
