package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-github/v92/github"
)

// identity is who the token writes as. Only what that author wrote is ours: a
// marker in somebody else's text is a look-alike.
type identity struct {
	id    int64
	login string
}

func (i identity) wrote(u *github.User) bool {
	if i.id != 0 {
		return u.GetID() == i.id
	}
	// No person can have brackets in a login.
	return i.login != "" && u.GetLogin() == i.login && u.GetType() == "Bot"
}

// actionsBot is the author of what a workflow run's token writes.
const actionsBot = "github-actions[bot]"

// self asks GitHub once who the token is. The REST API tells people; an app's
// token is told by GraphQL only.
func (c *Client) self(ctx context.Context) (identity, error) {
	if c.me != nil {
		return *c.me, nil
	}
	var me identity
	err := c.try(ctx, "ask who the token is", func() error {
		u, _, err := c.api.Users.Get(ctx, "")
		me = identity{id: u.GetID(), login: u.GetLogin()}
		return err
	})
	if Denied(err) {
		me, err = c.viewer(ctx)
		if err != nil && c.actions {
			me, err = identity{login: actionsBot}, nil
		}
	}
	if err != nil {
		return me, err
	}
	c.me = &me
	return me, nil
}

func (c *Client) viewer(ctx context.Context) (identity, error) {
	var answer struct {
		Data struct {
			Viewer struct {
				Login      string `json:"login"`
				DatabaseID int64  `json:"databaseId"`
			} `json:"viewer"`
		} `json:"data"`
	}
	path := "graphql"
	if strings.HasSuffix(c.api.BaseURL(), "/api/v3/") {
		path = "/api/graphql"
	}
	err := c.try(ctx, "ask who the app is", func() error {
		req, err := c.api.NewRequest(ctx, http.MethodPost, path, map[string]string{"query": "query{viewer{login databaseId}}"})
		if err != nil {
			return err
		}
		_, err = c.api.Do(req, &answer)
		return err
	})
	v := answer.Data.Viewer
	if err == nil && v.Login == "" {
		err = fmt.Errorf("GitHub does not say who the token is")
	}
	return identity{id: v.DatabaseID, login: v.Login}, err
}
