"""People and groups from an LDAP server or Active Directory: `reading` asks, `entries` understands."""
