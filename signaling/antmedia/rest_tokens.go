package antmedia

import (
	"net/http"
	"strconv"
	"time"
)

// streamToken is a token as REST tells it.
type streamToken struct {
	TokenID    string `json:"tokenId"`
	StreamID   string `json:"streamId"`
	ExpireDate int64  `json:"expireDate"` // Unix seconds
	Type       string `json:"type"`
	RoomID     string `json:"roomId,omitempty"`
}

// restToken mints a token for a stream, or for a room where roomId names one.
func (s *Server) restToken(r *http.Request, id string) (any, error) {
	if s.config.TokenSecret == nil {
		return nil, refusal(http.StatusBadRequest, "this server asks for no tokens")
	}
	q := r.URL.Query()
	kind, room := q.Get("type"), q.Get("roomId")
	expires, err := strconv.ParseInt(q.Get("expireDate"), 10, 64)
	switch {
	case kind != permitPublish && kind != permitPlay:
		return nil, refusal(http.StatusBadRequest, "type is publish or play")
	case err != nil || expires <= time.Now().Unix():
		return nil, refusal(http.StatusBadRequest, "expireDate is a time to come, in Unix seconds")
	case room != "" && !validName(room):
		return nil, refusal(http.StatusBadRequest, "roomId %.80q is no stream ID", room)
	}
	subject := id
	if room != "" {
		subject = room
	}
	token, err := mintToken(s.config.TokenSecret, kind, subject, time.Unix(expires, 0))
	if err != nil {
		return nil, err
	}
	return streamToken{TokenID: token, StreamID: id, ExpireDate: expires, Type: kind, RoomID: room}, nil
}

// restValidateToken tells what a token permits.
func (s *Server) restValidateToken(r *http.Request) (any, error) {
	var asked streamToken
	if err := body(r, &asked); err != nil {
		return nil, err
	}
	if s.config.TokenSecret == nil {
		return nil, refusal(http.StatusBadRequest, "this server asks for no tokens")
	}
	var claims tokenClaims
	if err := parseToken(s.config.TokenSecret, asked.TokenID, &claims); err != nil {
		return nil, refusal(http.StatusNotFound, "the token is not valid: %v", err)
	}
	if err := s.permit(asked.TokenID, asked.Type, asked.StreamID, asked.RoomID); err != nil {
		return nil, refusal(http.StatusNotFound, "the token is not valid: %v", err)
	}
	asked.ExpireDate = 0
	if claims.ExpiresAt != nil {
		asked.ExpireDate = claims.ExpiresAt.Unix()
	}
	return asked, nil
}
