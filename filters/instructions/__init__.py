"""Rules over conversations: the order of turns, the HTML of shared chats, what browsers left in it, splitting."""
