//! A HubSpot portal as a local server.
