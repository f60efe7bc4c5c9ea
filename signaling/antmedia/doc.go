// Package antmedia speaks both ends of Ant Media Server's WebSocket signaling: Server serves
// rooms to browsers and bots, Target enters rooms of any such server. It knows neither media
// nor sockets: a Server is handed a signaling.Conference, a Target a dial function, and its
// peers bring their own connections.
package antmedia
