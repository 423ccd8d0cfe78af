//! What everybody who knows both platforms knows: fields of other names that mean the same, and
//! fields that the platforms keep for themselves.

/// Fields that mean the same, the better counterpart first. A pair counts where both are there.
pub(super) const SAME: &[(&str, &str)] = &[
    ("name", "Name"),
    ("dealname", "Name"),
    ("domain", "Website"),
    ("email", "Email"),
    ("firstname", "FirstName"),
    ("lastname", "LastName"),
    ("jobtitle", "Title"),
    ("company", "Company"),
    ("phone", "Phone"),
    ("mobilephone", "MobilePhone"),
    ("fax", "Fax"),
    ("date_of_birth", "Birthdate"),
    ("hs_lead_status", "Status"),
    ("hs_analytics_source", "LeadSource"),
    ("numemployees", "NumberOfEmployees"),
    ("closedate", "CloseDate"),
    ("dealtype", "Type"),
    ("hs_next_step", "NextStep"),
    ("subject", "Subject"),
    ("content", "Description"),
    ("hs_ticket_priority", "Priority"),
    ("lifecyclestage", "HubSpot_Lifecycle__c"),
];

/// An address moves as a whole.
pub(super) const ADDRESS: [&str; 5] = ["address", "city", "state", "zip", "country"];
pub(super) const ADDRESSES: [[&str; 5]; 3] = [
    [
        "MailingStreet",
        "MailingCity",
        "MailingState",
        "MailingPostalCode",
        "MailingCountry",
    ],
    [
        "BillingStreet",
        "BillingCity",
        "BillingState",
        "BillingPostalCode",
        "BillingCountry",
    ],
    ["Street", "City", "State", "PostalCode", "Country"],
];

/// Properties in which HubSpot's own Salesforce app keeps the id, by Salesforce object.
pub(super) const IDS: &[(&str, &str)] = &[
    ("Contact", "salesforcecontactid"),
    ("Lead", "salesforceleadid"),
    ("Account", "salesforceaccountid"),
    ("Opportunity", "salesforceopportunityid"),
];

/// Ids, stamps, keys and signs that the platforms, or Tandem itself, keep.
pub(super) const SYSTEM: &[&str] = &[
    "hs_object_id",
    "createdate",
    "hs_createdate",
    "lastmodifieddate",
    "hs_lastmodifieddate",
    "hs_merged_object_ids",
    "hubspot_owner_assigneddate",
    "tandem_link_id",
    "associatedcompanyid",
    "salesforcecontactid",
    "salesforceleadid",
    "salesforceaccountid",
    "salesforceopportunityid",
    "Id",
    "IsDeleted",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "MasterRecordId",
    "Tandem_Link_Id__c",
];

/// A name or label without what the platforms put around it: `Renewal_Date__c` and `renewal_date`
/// are one.
pub(super) fn plain(text: &str) -> String {
    let text = text.trim();
    let text = text.strip_suffix("__c").unwrap_or(text);
    let text = text.strip_prefix("hs_").unwrap_or(text);
    let letters = text.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_platforms_meet() {
        for (one, two) in [
            ("renewal_date", "Renewal_Date__c"),
            ("hs_language", "Language__c"),
            ("Phone Number", "phone-number"),
        ] {
            assert_eq!(plain(one), plain(two));
        }
        assert_ne!(plain("amount"), plain("Amount_Due__c"));
    }
}
