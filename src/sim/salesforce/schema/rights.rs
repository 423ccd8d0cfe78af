//! Objects that tell who may do what: permission sets, what they grant, and to whom.
//!
//! What a row of them opens is worked out in `rights` of the org.

use super::{Field, Kind, Object, field, reference, text, with_system};

pub(super) fn objects() -> Vec<Object> {
    let object = |names, own| Object::new(names, with_system(own));
    vec![
        object(
            ["PermissionSet", "Permission Set", "Permission Sets", "0PS"],
            permission_set(),
        )
        .rights(),
        object(
            [
                "FieldPermissions",
                "Field Permissions",
                "Field Permissions",
                "01k",
            ],
            field_permissions(),
        )
        .rights(),
        object(
            [
                "PermissionSetAssignment",
                "Permission Set Assignment",
                "Permission Set Assignments",
                "0Pa",
            ],
            assignment(),
        )
        .rights(),
        object(
            [
                "UserPermissionAccess",
                "User Permission Access",
                "User Permission Access",
                "0Pv",
            ],
            user_access(),
        )
        .setup(),
    ]
}

fn permission_set() -> Vec<Field> {
    vec![
        text("Name", 80).required(),
        text("Label", 80).required(),
        text("Description", 255),
    ]
}

fn field_permissions() -> Vec<Field> {
    let parent = reference("ParentId", &["PermissionSet"], "Parent");
    vec![
        parent.required().create_only(),
        text("SobjectType", 40).required().create_only(),
        text("Field", 255).required().create_only(),
        field("PermissionsRead", Kind::Boolean),
        field("PermissionsEdit", Kind::Boolean),
    ]
}

fn assignment() -> Vec<Field> {
    let set = reference("PermissionSetId", &["PermissionSet"], "PermissionSet");
    let user = reference("AssigneeId", &["User"], "Assignee");
    vec![
        set.required().create_only(),
        user.required().create_only(),
        field("IsActive", Kind::Boolean).read_only(),
    ]
}

/// One row: what the calling user may do.
fn user_access() -> Vec<Field> {
    vec![
        field("PermissionsCustomizeApplication", Kind::Boolean),
        field("PermissionsManageProfilesPermissionsets", Kind::Boolean),
        field("PermissionsAssignPermissionSets", Kind::Boolean),
    ]
}
