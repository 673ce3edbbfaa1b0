"""How advisory data is downloaded: with limits, resumed, checked, never to a place unasked."""
