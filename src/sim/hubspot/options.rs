//! How a simulated portal is set up, and the switches that test control may move while it runs.

/// What a portal is started with.
#[derive(Clone, Debug)]
pub struct HubSpotOptions {
    /// Decides ids, correlation ids and tokens.
    pub seed: u64,
    /// Leaves out the unique key property `tandem_link_id`.
    pub bare: bool,
    /// Whether e-mails, domains and the order of sets are rewritten on save.
    pub normalise: bool,
    /// Whether a batch read by an id that was merged away gives the survivor; otherwise only
    /// single reads do. The platform's documents do not say.
    pub batch_read_follows_merges: bool,
    /// How long a change stays invisible to search.
    pub search_lag_ms: i64,
    /// The private-app token that is always accepted.
    pub token: String,
    pub client_id: String,
    pub client_secret: String,
    /// Where the app may have a browser sent; with none, to any address that is fit for it.
    pub redirect_uris: Vec<String>,
    /// Calls per day of the account's time zone.
    pub daily_limit: u64,
    /// Calls in any 10 seconds, search apart.
    pub burst_limit: u64,
    /// Calls for associations in any 10 seconds and in a day; each counts as any other call too.
    pub associations_limit: u64,
    pub associations_daily_limit: u64,
    /// Searches in any second.
    pub search_per_second: u64,
}

impl Default for HubSpotOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            bare: false,
            normalise: true,
            batch_read_follows_merges: true,
            search_lag_ms: 2_000,
            token: "pat-na1-00000000-0000-4000-8000-000000000001".to_owned(),
            client_id: "11111111-2222-4333-8444-555555555555".to_owned(),
            client_secret: "99999999-8888-4777-8666-555555555555".to_owned(),
            redirect_uris: Vec::new(),
            daily_limit: 1_000_000,
            burst_limit: 190,
            associations_limit: 150,
            associations_daily_limit: 500_000,
            search_per_second: 5,
        }
    }
}

/// Behaviour that is off until test control switches it on.
#[derive(Clone, Debug, Default)]
pub(super) struct Switches {
    /// Scopes the app is told it lacks.
    pub missing_scopes: Vec<String>,
    /// Scopes the account cannot grant: optional ones are left out, required ones end the attempt.
    pub unavailable_scopes: Vec<String>,
    /// Nobody is told which scopes a token has.
    pub hide_scopes: bool,
    /// A refresh gives a new refresh token and kills the old one.
    pub rotate_refresh_tokens: bool,
    /// A search hit found by its old index entry shows the values stored now.
    pub search_returns_stored: bool,
}
