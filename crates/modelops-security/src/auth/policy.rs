//! Roles: named sets of scopes, and decisions that say why.

use std::collections::BTreeMap;

use super::{Caller, Scope};

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// Allowed by a scope that the key itself holds.
    AllowedByScope(Scope),
    /// Allowed by a scope of a role of the principal.
    AllowedByRole {
        /// The role.
        role: String,
        /// The scope of the role that grants it.
        scope: Scope,
    },
    /// Nothing grants it.
    Denied,
}

impl Decision {
    /// Whether the request may pass.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        !matches!(self, Self::Denied)
    }
}

/// Roles and who has them. What nothing grants is denied; nothing denies what something grants.
///
/// ```
/// use modelops_security::auth::{Decision, Policy, Scope};
/// let mut policy = Policy::default();
/// policy.grant("operator", Scope::new("model:*:reload")?);
/// policy.assign("team-vision", "operator");
/// let reload = Scope::new("model:penguins:reload")?;
/// assert!(policy.decide("team-vision", &[], &reload).is_allowed());
/// assert_eq!(policy.decide("team-sales", &[], &reload), Decision::Denied);
/// # Ok::<(), modelops_security::ScopeError>(())
/// ```
#[doc(alias("RBAC", "roles", "authorization"))]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    roles: BTreeMap<String, Vec<Scope>>,
    members: BTreeMap<String, Vec<String>>,
}

impl Policy {
    /// Adds a scope to a role, which is made where it is new.
    pub fn grant(&mut self, role: impl Into<String>, scope: Scope) {
        self.roles.entry(role.into()).or_default().push(scope);
    }

    /// Gives a principal a role; a role without scopes grants nothing.
    pub fn assign(&mut self, principal: impl Into<String>, role: impl Into<String>) {
        self.members
            .entry(principal.into())
            .or_default()
            .push(role.into());
    }

    /// Whether a principal with these scopes of its key may do `wanted`.
    #[must_use]
    pub fn decide(&self, principal: &str, scopes: &[Scope], wanted: &Scope) -> Decision {
        if let Some(scope) = scopes.iter().find(|scope| scope.grants(wanted)) {
            return Decision::AllowedByScope(scope.clone());
        }
        for role in self.members.get(principal).into_iter().flatten() {
            let granting = self
                .roles
                .get(role)
                .into_iter()
                .flatten()
                .find(|scope| scope.grants(wanted));
            if let Some(scope) = granting {
                return Decision::AllowedByRole {
                    role: role.clone(),
                    scope: scope.clone(),
                };
            }
        }
        Decision::Denied
    }

    /// As [`decide`](Self::decide), for an authenticated caller.
    #[must_use]
    pub fn decide_for(&self, caller: &Caller, wanted: &Scope) -> Decision {
        self.decide(&caller.principal, &caller.scopes, wanted)
    }
}
