//! A Salesforce org as a local server.
