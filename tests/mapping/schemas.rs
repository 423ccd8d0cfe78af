//! Schemas of a small portal and a small org, written as `name: type` lists.

use std::collections::BTreeMap;

use tandem::mapping::{Bound, Fault, Loaded, SourceFile, bind, load};
use tandem::model::{
    BySide, FieldKind, FieldSchema, ObjectSchema, Owner, PickOption, Pipeline, RecordId,
    RecordType, Schemas,
};

const STAGES: &str = "subscriber,lead,marketingqualifiedlead,\
    salesqualifiedlead,opportunity,customer,evangelist,other";
const SOURCES: &str = "ORGANIC_SEARCH,PAID_SEARCH,EMAIL_MARKETING,REFERRALS,DIRECT_TRAFFIC,OFFLINE";
const LEAD_STATUS: &str =
    "NEW,OPEN,IN_PROGRESS,OPEN_DEAL,UNQUALIFIED,ATTEMPTED_TO_CONTACT,CONNECTED,BAD_TIMING";
const INDUSTRIES: &str = "ACCOUNTING,AUTOMOTIVE,BANKING,BIOTECHNOLOGY,COMPUTER_SOFTWARE,\
    CONSTRUCTION,HOSPITAL_HEALTH_CARE,INSURANCE,LOGISTICS_AND_SUPPLY_CHAIN,MACHINERY,RETAIL";

fn options(list: &str) -> Vec<PickOption> {
    list.split(',')
        .map(|text| PickOption {
            value: text.into(),
            label: text.into(),
            active: true,
        })
        .collect()
}

/// Reads `email`, `text(40)`, `pick!(a,b)` (restricted), `pick(a,b)`, `multi!(a,b)`, and so on.
fn kind(text: &str) -> FieldKind {
    let (word, inner) = match text.split_once('(') {
        Some((word, rest)) => (word, rest.trim_end_matches(')')),
        None => (text, ""),
    };
    let number = inner.parse::<u32>().ok();
    match word {
        "text" => FieldKind::Text { length: number },
        "email" => FieldKind::Email,
        "phone" => FieldKind::Phone,
        "url" => FieldKind::Url,
        "number" => FieldKind::Number { scale: number },
        "money" => FieldKind::Money { scale: number },
        "int" => FieldKind::Integer,
        "bool" => FieldKind::Bool,
        "date" => FieldKind::Date,
        "datetime" => FieldKind::DateTime,
        "pick" => FieldKind::Picklist {
            options: options(inner),
            restricted: false,
        },
        "pick!" => FieldKind::Picklist {
            options: options(inner),
            restricted: true,
        },
        "multi!" => FieldKind::MultiPicklist {
            options: options(inner),
            restricted: true,
        },
        "reference" => FieldKind::Reference {
            to: vec![inner.into()],
        },
        "owner" => FieldKind::Owner,
        "id" => FieldKind::Id,
        other => panic!("no kind {other}"),
    }
}

/// A line is `name type [required] [readonly] [unique]`.
fn object(name: &str, lines: &str) -> ObjectSchema {
    let mut fields = BTreeMap::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let field = words.next().unwrap().to_owned();
        let type_text = words.next().unwrap();
        let flags: Vec<&str> = words.collect();
        let writable = !flags.contains(&"readonly");
        fields.insert(
            field.clone(),
            FieldSchema {
                label: field.clone(),
                name: field,
                kind: kind(type_text),
                createable: writable,
                updateable: writable,
                required: flags.contains(&"required"),
                unique: flags.contains(&"unique"),
                external_id: flags.contains(&"unique"),
                calculated: false,
            },
        );
    }
    ObjectSchema {
        name: name.into(),
        fields,
        pipelines: Vec::new(),
        record_types: Vec::new(),
    }
}

fn owner(id: &str, email: &str, name: &str, active: bool) -> Owner {
    let email = (!email.is_empty()).then(|| email.to_owned());
    Owner {
        id: RecordId::new(id),
        email,
        name: name.into(),
        active,
    }
}

fn deals() -> ObjectSchema {
    let mut deals = object(
        "deals",
        "dealname text
         description text
         hs_next_step text
         closedate datetime
         pipeline pick!(default,8423117)
         dealstage pick!(appointmentscheduled,qualifiedtobuy,presentationscheduled,\
         decisionmakerboughtin,contractsent,closedwon,closedlost,2145,2146,2147,2148)
         amount number
         deal_currency_code pick!(USD,EUR,JPY)
         dealtype pick!(newbusiness,existingbusiness)
         hubspot_owner_id owner
         hs_object_id id readonly
         tandem_link_id text unique",
    );
    let stage = |value: &str, label: &str| PickOption {
        value: value.into(),
        label: label.into(),
        active: true,
    };
    let FieldKind::Picklist { options, .. } = &deals.fields["dealstage"].kind else {
        panic!()
    };
    let sales = options
        .iter()
        .filter(|o| !o.value.starts_with('2'))
        .cloned()
        .collect();
    let renewals = vec![
        stage("2145", "Renewal Due"),
        stage("2146", "In Negotiation"),
        stage("2147", "Renewed"),
        stage("2148", "Churned"),
    ];
    let pipeline = |id: &str, label: &str, stages| Pipeline {
        id: id.into(),
        label: label.into(),
        stages,
    };
    deals.pipelines = vec![
        pipeline("default", "Sales Pipeline", sales),
        pipeline("8423117", "Renewals", renewals),
    ];
    deals
}

fn opportunity() -> ObjectSchema {
    let mut opportunity = object(
        "Opportunity",
        "Id id readonly
         Name text(120) required
         Description text(32000)
         NextStep text(255)
         CloseDate date required
         RecordTypeId reference(RecordType)
         StageName pick!(Prospecting,Qualification,Needs_Analysis,Value_Proposition,\
         Id._Decision_Makers,Perception_Analysis,Proposal/Price_Quote,Negotiation/Review,\
         Renewal_Due,Closed_Won,Closed_Lost) required
         Amount money(2)
         CurrencyIsoCode pick!(USD,EUR,GBP)
         Type pick(New_Customer,Existing_Customer)
         OwnerId owner
         AccountId reference(Account)
         Tandem_Link_Id__c text(255) unique",
    );
    for field in opportunity.fields.values_mut() {
        if let FieldKind::Picklist { options, .. } = &mut field.kind {
            for option in options {
                option.value = option.value.replace('_', " ");
                option.label = option.value.clone();
            }
        }
    }
    let held = |id: &str, name: &str| RecordType {
        id: RecordId::new(id),
        developer_name: name.into(),
        active: true,
    };
    opportunity.record_types = vec![
        held("0125f000000AAAAAA4", "New_Business"),
        held("0125f000000BBBBBBY", "Renewal"),
    ];
    opportunity
}

fn contacts() -> ObjectSchema {
    object(
        "contacts",
        &format!(
            "hs_object_id id readonly
             lastmodifieddate datetime readonly
             email email
             firstname text
             lastname text
             jobtitle text
             company text
             website text
             phone phone
             mobilephone phone
             address text
             city text
             state text
             zip text
             country text
             lifecyclestage pick!({STAGES})
             hs_lead_status pick!({LEAD_STATUS})
             hs_analytics_source pick!({SOURCES}) readonly
             interests multi!(analytics,automation,integrations,reporting,training)
             vip bool
             score number
             last_touch datetime
             birthday date
             numemployees number
             hubspot_owner_id owner
             salesforcecontactid text
             salesforceleadid text
             tandem_link_id text unique"
        ),
    )
}

/// Contact and Lead, which share most of their fields.
fn people() -> [ObjectSchema; 2] {
    let person = format!(
        "Id id readonly
         SystemModstamp datetime readonly
         Email email
         FirstName text(40)
         LastName text(80) required
         Title text(128)
         Phone phone
         MobilePhone phone
         HubSpot_Lifecycle__c pick!({STAGES})
         LeadSource pick(Web,Partner,Other)
         Interests__c multi!(Newsletter,Product,Events,Webinars,Research,Partners)
         OwnerId owner
         Tandem_Link_Id__c text(255) unique"
    );
    let contact = object(
        "Contact",
        &format!(
            "{person}
             Vip__c bool
             Score__c number(2)
             Whole__c int
             Last_Touch__c datetime
             Birthdate date
             Notes__c text(10)
             Stage__c pick!(New,Working,Done)
             MailingStreet text(255)
             MailingCity text(40)
             MailingState text(80)
             MailingPostalCode text(20)
             MailingCountry text(80)
             ReportsToId reference(Contact)
             AccountId reference(Account)"
        ),
    );
    let lead = object(
        "Lead",
        &format!(
            "{person}
             Company text(255) required
             Website url
             Street text(255)
             City text(40)
             State text(80)
             PostalCode text(20)
             Country text(80)
             IsConverted bool readonly
             Status pick(Open,Working)"
        ),
    );
    [contact, lead]
}

fn companies() -> [ObjectSchema; 2] {
    let companies = object(
        "companies",
        &format!(
            "hs_object_id id readonly
             name text
             domain text
             phone phone
             address text
             city text
             state text
             zip text
             country text
             numberofemployees number
             annualrevenue number
             description text
             industry pick!({INDUSTRIES})
             hubspot_owner_id owner
             salesforceaccountid text
             tandem_link_id text unique"
        ),
    );
    let account = object(
        "Account",
        "Id id readonly
         Name text(255) required
         Website url
         Phone phone
         BillingStreet text(255)
         BillingCity text(40)
         BillingState text(80)
         BillingPostalCode text(20)
         BillingCountry text(80)
         NumberOfEmployees int
         AnnualRevenue money(0)
         Description text(32000)
         Industry pick(Banking,Finance)
         OwnerId owner
         Tandem_Link_Id__c text(255) unique",
    );
    [companies, account]
}

fn contact_role() -> ObjectSchema {
    let mut role = object(
        "OpportunityContactRole",
        "OpportunityId reference(Opportunity) required
         ContactId reference(Contact) required
         Role pick(Influencer)",
    );
    if let FieldKind::Picklist { options: known, .. } =
        &mut role.fields.get_mut("Role").unwrap().kind
    {
        *known = options("Decision Maker,Influencer,Evaluator");
    }
    role
}

pub fn schemas() -> Schemas {
    let mut schemas = Schemas::default();
    let [contact, lead] = people();
    let [companies, account] = companies();
    for object in [contacts(), companies, deals()] {
        schemas.objects.hubspot.insert(object.name.clone(), object);
    }
    for object in [contact, lead, account, opportunity(), contact_role()] {
        schemas
            .objects
            .salesforce
            .insert(object.name.clone(), object);
    }
    let pair = ("contacts".into(), "deals".into());
    let labels = vec!["Decision maker".into(), "Influencer".into()];
    schemas.labels.insert(pair, labels);
    schemas.owners = BySide::new(
        vec![
            owner("11", "ann@example.com", "Ann", true),
            owner("12", "bob@example.com", "Bob", true),
            owner("13", "ops@example.com", "Ops", true),
            owner("14", "cleo@example.com", "Cleo", true),
        ],
        vec![
            owner("005000000000001AAA", "ANN@example.com.invalid", "Ann", true),
            owner("005000000000002AAA", "bob@example.com", "Bob", false),
            owner("005000000000003AAA", "ops@example.com", "Ops", true),
            owner("00G000000000004EAA", "", "Inside Sales", true),
        ],
    );
    schemas.currency = BySide::new(Some("USD".into()), Some("EUR".into()));
    schemas
}

pub fn read(text: &str) -> Result<Loaded, Vec<Fault>> {
    let file = SourceFile {
        path: "test.yaml".into(),
        text: text.into(),
    };
    load(&[file], &BTreeMap::new())
}

pub fn bound(text: &str) -> Bound {
    let loaded = read(text).unwrap_or_else(|faults| panic!("{}", shown(&faults)));
    bind(&loaded.mappings[0], &schemas()).unwrap_or_else(|faults| panic!("{}", shown(&faults)))
}

pub fn shown(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}
