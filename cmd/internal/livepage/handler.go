package livepage

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"strconv"
)

//go:embed files
var files embed.FS

// Handler serves the page at / and what it shows at /feed: the cell that is named by the query,
// else the latest, from the point numbered after on. The page needs nothing from elsewhere.
func (f *Feed) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feed", f.serve)
	mux.Handle("GET /", http.FileServerFS(subtree()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

func subtree() fs.FS {
	sub, err := fs.Sub(files, "files")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return sub
}

func (f *Feed) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, err := strconv.Atoi(q.Get("after"))
	if q.Get("after") != "" && (err != nil || after < 0) {
		http.Error(w, "after is a whole number from 0 on", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	// A reader that has gone is no fault of anybody's.
	_ = json.NewEncoder(w).Encode(f.from(q.Get("cell"), after))
}
