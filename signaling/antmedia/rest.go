package antmedia

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// maxBody is the largest REST request read, in bytes.
const maxBody = 64 << 10

// result is what REST answers where there is nothing else to tell; the field names are Ant Media's.
type result struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
	DataID  string `json:"dataId"`
	ErrorID int    `json:"errorId"`
}

// restError is a refusal with its HTTP status.
type restError struct {
	status int
	words  string
}

func (e *restError) Error() string { return e.words }

func refusal(status int, format string, args ...any) error {
	return &restError{status, fmt.Sprintf(format, args...)}
}

func unknown(id string) error { return refusal(http.StatusNotFound, "there is no broadcast %q", id) }

// restHandler serves the management of rooms in the paths and shapes of Ant Media's REST API,
// version 2, for any application name.
func (s *Server) restHandler() http.Handler {
	mux := http.NewServeMux()
	const base = "/{app}/rest/v2/broadcasts"
	route := func(pattern string, act func(r *http.Request) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+base+path, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, act) })
	}
	route("POST /create", s.restCreate)
	route("GET /{id}", s.restGet)
	route("PUT /{id}", s.restUpdate)
	route("DELETE /{id}", s.restDelete)
	route("DELETE /{$}", s.restDeleteAll)
	route("DELETE ", s.restDeleteAll)
	route("GET /list/{offset}/{size}", s.restList)
	route("GET /count", s.restCount)
	route("GET /active-live-stream-count", s.restCountLive)
	route("GET /total-broadcast-statistics", s.restTotals)
	route("GET /{id}/{what}", s.restAbout)
	route("GET /{id}/{list}/{offset}/{size}", s.restPage)
	route("POST /{id}/subtrack", s.restAddSubtrack)
	route("DELETE /{id}/subtrack", s.restRemoveSubtrack)
	route("POST /{id}/stop", s.restStop)
	route("POST /{id}/data", s.restSend)
	route("POST /validate-token", s.restValidateToken)
	return mux
}

// answer carries out a request that may be made.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, act func(*http.Request) (any, error)) {
	reply, err := any(nil), s.restPermit(r)
	if err == nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		reply, err = act(r)
	}
	status := http.StatusOK
	if err != nil {
		status = http.StatusInternalServerError
		if e := (*restError)(nil); errors.As(err, &e) {
			status = e.status
		}
		reply = result{Message: err.Error(), ErrorID: status}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(reply); err != nil {
		s.log.Debug("REST answer", "remote", r.RemoteAddr, "error", err)
	}
}

// restPermit tells why a request may not be made.
func (s *Server) restPermit(r *http.Request) error {
	if s.config.RESTSecret == nil {
		if !local(r) {
			return refusal(http.StatusForbidden, "REST is for this machine alone unless a secret is configured")
		}
		return nil
	}
	token := r.Header.Get("Authorization")
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = rest
	}
	if err := parseToken(s.config.RESTSecret, token, &jwt.RegisteredClaims{}); err != nil {
		s.log.Info("REST request refused", "remote", r.RemoteAddr, "error", err)
		return refusal(http.StatusForbidden, "the Authorization header has no valid token")
	}
	return nil
}

// pathID is the ID in a request's path.
func pathID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !validName(id) {
		return "", refusal(http.StatusBadRequest, "%.80q is no stream ID", id)
	}
	return id, nil
}

// body reads a request's JSON; an empty one leaves v as it is.
func body(r *http.Request, v any) error {
	text, err := bodyText(r)
	if err != nil || strings.TrimSpace(text) == "" {
		return err
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return refusal(http.StatusBadRequest, "the request is no JSON of the expected shape: %v", err)
	}
	return nil
}

func bodyText(r *http.Request) (string, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			return "", refusal(http.StatusRequestEntityTooLarge, "the request is longer than %d bytes", large.Limit)
		}
		return "", refusal(http.StatusBadRequest, "read the request: %v", err)
	}
	return string(b), nil
}

// pageOfPath is the part of n that a path asks for.
func pageOfPath(r *http.Request, n int) (from, to int, err error) {
	offset, errOffset := strconv.Atoi(r.PathValue("offset"))
	size, errSize := strconv.Atoi(r.PathValue("size"))
	if errOffset != nil || errSize != nil || offset < 0 || size < 0 {
		return 0, 0, refusal(http.StatusBadRequest, "offset and size are whole numbers from 0 on")
	}
	from = min(offset, n)
	return from, min(from+min(size, maxPage), n), nil
}

// flag is a query parameter that is true or false, and true where it is left out.
func flag(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return true, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, refusal(http.StatusBadRequest, "%s is true or false", name)
	}
	return on, nil
}
